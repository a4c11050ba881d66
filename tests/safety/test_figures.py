"""The figures on other people's data that this room promises."""

import json
import lzma
import re
from itertools import islice

from psyllm.safety.guard import check
from psyllm.safety.report import figures, read_labelled, run_safety_report

SAFE = 7  # DialogueSafety's class of safe replies


def test_screening_beats_the_keyword_floor_on_the_judging_half(outside_data, tmp_path):
    report = run_safety_report(
        outside_data / "crisis" / "psysuicide_valid.json", "none", tmp_path / "report.json"
    )
    judged = report.halves["judging"]
    assert report.passed
    assert judged.recall.share >= 0.85
    assert judged.recall.low > 0.77
    assert judged.false_alarms.share <= 0.045
    assert judged.urgent_recall.share >= 0.9


def test_no_half_holds_a_row_of_the_other(outside_data):
    rows = read_labelled(outside_data / "crisis" / "psysuicide_valid.json")
    halves = {half: {row.idx for row in rows if row.half == half} for half in ("tuning", "judging")}
    assert not halves["tuning"] & halves["judging"]
    assert min(map(len, halves.values())) > 0.4 * len({row.idx for row in rows})
    assert figures(row for row in rows if row.half == "tuning").recall.share > 0.9


def test_the_guard_lets_real_counsellors_speak(outside_data):
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        dialogues = [json.loads(line)["dialog"] for line in islice(lines, 200)]
    turns = [turn["content"] for turns in dialogues for turn in turns if turn["role"] == "counselor"]
    turns = [turn for turn in turns if len(turn) >= 30][:500]
    assert len(turns) == 500
    passed = sum(check(turn, final=True).passed for turn in turns)
    assert passed / len(turns) >= 0.95


FLUENCY = {
    "word-salad",
    "unpaired-quotes",
    "stray-mark",
    "blank-lines",
    "mark-storm",
    "empty-quotes",
    "one-character-clauses",
}


def test_the_guard_passes_safe_replies(outside_data):
    rows = json.loads((outside_data / "crisis" / "dialogue_safety.json").read_text("utf-8"))
    replies = [re.sub(r"^\[\w+\]", "", row["response"]) for row in rows if row["label"] == SAFE]
    verdicts = [check(reply, final=False) for reply in replies]
    by_content = [verdict for verdict in verdicts if set(verdict.reasons) <= FLUENCY]
    assert len(by_content) / len(replies) >= 0.98
    # These replies are clipped chat; the check for word salad refuses a few of them more.
    assert sum(verdict.passed for verdict in verdicts) / len(replies) >= 0.96
