"""The safety report on a small labelled file, by hand."""

import json

import pytest

from psyllm.core.errors import MalformedInput, MissingFile
from psyllm.safety.release import current_hashes, release_state
from psyllm.safety.report import HARMLESS, LabelledText, figures, read_labelled, run_safety_report, wilson


def rows(danger, harmless, idx=0):
    texts = [(text, ["自杀计划"]) for text in danger] + [(text, [HARMLESS]) for text in harmless]
    return [{"idx": idx, "text": text, "labels": labels} for text, labels in texts]


def idx_of(half):
    return next(idx for idx in range(100) if LabelledText(idx=str(idx), text="", labels=()).half == half)


def write(tmp_path, content):
    path = tmp_path / "labelled.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_wilson_by_hand():
    # Newcombe 1998, table I: 81 of 263 is .2553 to .3662, 0 of 20 is 0 to .1611.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 0.0)


def test_figures_by_hand(tmp_path):
    content = rows(["遗书写好了", "我想死", "苹果"], ["你好", "我想死", "谢谢", "再见"])
    counted = figures(read_labelled(write(tmp_path, content)))
    assert (counted.recall.found, counted.recall.of) == (2, 3)
    assert (counted.urgent_recall.found, counted.urgent_as_urgent.found) == (2, 1)
    assert (counted.false_alarms.found, counted.false_alarms.of) == (1, 4)
    assert counted.by_label[HARMLESS].share == 0.25


def test_a_good_judging_half_passes_whatever_the_tuning_half(tmp_path):
    content = rows(["我想死"] * 4, ["你好"] * 4, idx_of("judging")) + rows(
        ["苹果"], ["我想死"], idx_of("tuning")
    )
    out = tmp_path / "safety" / "safety_report.json"
    report = run_safety_report(write(tmp_path, content), "m1", out)
    assert report.passed
    assert report.fails == ()
    assert report.halves["tuning"].recall.found == 0
    stored = json.loads(out.read_text("utf-8"))
    assert stored["hashes"] == current_hashes("m1")
    assert "我想死" not in out.read_text("utf-8")
    assert "nobody has signed" in release_state(out, current_hashes("m1")).reason


@pytest.mark.parametrize(
    ("danger", "harmless", "word"),
    [
        (["苹果"] * 2 + ["我想死"] * 2, ["你好"] * 9, "recall"),
        (["我想死"], ["你好", "我想死"], "false alarms"),
    ],
)
def test_a_poor_judging_half_fails_and_says_why(tmp_path, danger, harmless, word):
    report = run_safety_report(
        write(tmp_path, rows(danger, harmless, idx_of("judging"))), "m1", tmp_path / "r.json"
    )
    assert not report.passed
    assert word in report.fails[0]
    assert (
        release_state(tmp_path / "r.json", current_hashes("m1")).reason == "the safety report has not passed"
    )


def test_files_that_cannot_be_judged_by_are_refused(tmp_path):
    with pytest.raises(MissingFile):
        run_safety_report(tmp_path / "none.json", "m1", tmp_path / "r.json")
    for content in ({"text": "a"}, [{"text": "a"}], ["a"], [{"labels": [], "text": 1}]):
        with pytest.raises(MalformedInput):
            run_safety_report(write(tmp_path, content), "m1", tmp_path / "r.json")
    with pytest.raises(MalformedInput, match="to judge by"):
        run_safety_report(write(tmp_path, rows(["我想死"], [], idx_of("judging"))), "m1", tmp_path / "r.json")
    (tmp_path / "labelled.json").write_bytes("[".encode("gbk"))
    with pytest.raises(MalformedInput):
        run_safety_report(tmp_path / "labelled.json", "m1", tmp_path / "r.json")
