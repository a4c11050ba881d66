"""The package's model: whether it is there, whether it has passed, and what tells that its marks are its own."""

import json

import pytest

from psyllm.core import embedded
from psyllm.core.base_models import MARKS_FILE, base_hash
from psyllm.core.errors import MissingFile
from psyllm.core.fingerprints import read_owner, read_vouched, whole_sources
from psyllm.core.stages import Parent, Stage
from small_embedded import PASSING, read_corpus, seat, ship_fingerprints, talk, write_marks


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Return a folder that looks like the model's, whole and with marks that pass."""
    read = read_corpus(
        tmp_path / "there", [talk("a:1", "我最近总是睡不着，躺下就想着白天的事情。", "听起来很累。")]
    )
    folder = tmp_path / "embedded"
    ship_fingerprints(tmp_path / "there", folder)
    (folder / "config.json").write_text("{}")
    (folder / "model.int8.safetensors").write_bytes(b"weights")
    card = {"lineage": {"run": "model-1", "parents": [read.as_parent().model_dump()]}}
    (folder / "psyllm.json").write_text(json.dumps(card))
    seat(monkeypatch, folder)
    write_marks(folder)
    return folder


def test_a_version_without_it_says_so_and_what_to_do(tmp_path, monkeypatch):
    seat(monkeypatch, tmp_path)
    (tmp_path / "MODEL_CARD.md").write_text("x")
    assert embedded.standing() == (False, False, "not in this version")
    with pytest.raises(MissingFile, match="not in this version") as caught:
        embedded.need()
    assert "runs/embedded.sh" in caught.value.next_step


def test_it_passes_with_marks_of_its_own_weights_and_fingerprints_of_its_own_corpus(shipped):
    standing = embedded.standing()
    assert (standing.is_here, standing.passed) == (True, True)
    assert embedded.need() == shipped


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("bits_percent_of_5gram", 78.1),
        ("whole_answers_percent", 79.9),
        ("bits_per_char", 4.01),
        ("guard_passed_percent", 79.9),
        ("distinct_2_ratio", 0.79),
        ("distinct_2_ratio", 1.21),
        ("on_topic_percent", 69.0),
        ("on_topic_over_shuffled_points", 29.0),
        ("dialogues", 299),
        ("questions", 199),
        ("own_judged", 49),
        ("shuffled_judged", 49),
        ("temperature", 0.01),
        ("top_p", 1.0),
        ("max_new_tokens", 100),
        ("repetition_penalty", 1.0),
    ],
)
def test_one_missed_mark_is_enough_to_fail_and_is_named(shipped, name, figure):
    write_marks(shipped, **{name: figure})
    standing = embedded.standing()
    assert not standing.passed
    assert embedded.ASKED[name].what in standing.reason
    assert f"{figure:.4g}" in standing.reason


def test_a_measure_that_was_never_taken_is_missed():
    for name in PASSING:
        left = {other: figure for other, figure in PASSING.items() if other != name}
        (missed,) = embedded.missed_marks(left)
        assert missed.endswith("not measured")
    assert embedded.missed_marks(PASSING) == []
    assert embedded.missed_marks({**PASSING, "dialogues": 10**9}) == []
    assert set(PASSING) == set(embedded.ASKED)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_reaches_nothing(figure):
    for name in embedded.ASKED:
        assert embedded.missed_marks({**PASSING, name: figure})


def test_marks_of_other_weights_count_for_nothing(shipped):
    (shipped / "model.int8.safetensors").write_bytes(b"other weights")
    assert "other weights" in embedded.standing().reason


@pytest.mark.parametrize("content", [None, "{", "[]", '{"passed": true}'])
def test_without_marks_that_can_be_read_it_has_not_passed(shipped, content):
    path = shipped / MARKS_FILE
    path.unlink() if content is None else path.write_text(content)
    assert not embedded.standing().passed
    assert "marks" in embedded.standing().reason


def test_marks_are_no_part_of_the_weights_hash(shipped):
    before = base_hash(shipped)
    (shipped / MARKS_FILE).unlink()
    assert base_hash(shipped) == before


def test_it_fails_where_nothing_tells_what_it_has_read(shipped):
    other = Parent(stage=Stage.CORPUS.value, run="corpus-other", content_hash="0")
    (shipped / "psyllm.json").write_text(json.dumps({"lineage": {"parents": [other.model_dump()]}}))
    write_marks(shipped)
    assert "fingerprints" in embedded.standing().reason
    assert not embedded.has_read(other)


@pytest.mark.parametrize("harm", ["cut", "gone", "index"])
def test_fingerprints_that_were_changed_are_none(shipped, harm):
    (parent,) = embedded.corpora()
    assert embedded.has_read(parent)
    folder = shipped / "fingerprints"
    path = next(folder.glob("runs-*.parquet"))
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif harm == "gone":
        path.unlink()
    else:
        (folder / "fingerprints.json").write_text("[]")
    assert not embedded.has_read(parent)
    assert not embedded.standing().passed


INDEX_FAULTS = {
    "owner": {"of": {"stage": 1}},
    "files": {"files": []},
    "counts of no source": {"sources": {"smilechat": 3}},
    "no counts": {"sources": {"smilechat": {}}},
    "counts": {"sources": {"smilechat": {"runs": -1, "openings": 1}}},
    "bits": {"sample_bits": "x"},
    "length": {"opening_chars": None},
    "other bits": {"kept_bits": 8},
    "version": {"version": 2},
}


@pytest.mark.parametrize("fault", INDEX_FAULTS)
def test_an_index_that_can_not_be_read_is_said_and_never_raised(shipped, fault):
    path = shipped / "fingerprints" / "fingerprints.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | INDEX_FAULTS[fault]))
    (parent,) = embedded.corpora()
    assert embedded.standing() == (True, False, "its fingerprints can't be read")
    assert not embedded.has_read(parent)
    assert read_owner(shipped) is None
    assert read_vouched(shipped) == ({}, [])
    assert whole_sources(shipped, {}) == set()


def test_an_index_that_may_not_be_read_is_said(shipped, monkeypatch):
    def refused(path):
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)  # root may read all, whatever the file's rights
    assert embedded.standing() == (True, False, "its fingerprints can't be read")


@pytest.mark.parametrize(
    "sources",
    [
        {"smilechat": {"runs": 0, "openings": 0}},
        {"smilechat": {"runs": 0, "openings": 1}},
        {},
        {"other": {"runs": 0, "openings": 0}},
    ],
)
def test_an_index_that_says_less_than_lies_there_vouches_for_nothing(shipped, sources):
    path = shipped / "fingerprints" / "fingerprints.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sources": sources}))
    (parent,) = embedded.corpora()
    assert not embedded.has_read(parent)
    assert embedded.standing().reason.startswith("it has no fingerprints")


def test_weights_that_can_not_be_read_fail_and_do_not_raise(shipped, monkeypatch):
    def broken(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(embedded, "base_hash", broken)
    assert embedded.standing() == (True, False, "its files can't be read")


@pytest.mark.parametrize("card", ["{", "[]", '{"lineage": {"parents": [3]}}', '{"lineage": null}'])
def test_a_card_that_can_not_be_read_names_no_corpus(shipped, card):
    (shipped / "psyllm.json").write_text(card)
    assert embedded.corpora() == []
