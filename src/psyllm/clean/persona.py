"""Chat that plays a part and is no counselling: pet names, stage acting, hearts in every line.

What the counselling side says comes in; whether it is a persona's chatter goes
out, by two judges that share nothing: the signs of `persona.toml` by their
share of the turns, for styles that nobody has seen, and a learnt score
(`persona.npz`, made by `bench/persona.py`) for the styles that were. A visitor may
write as they like and is never judged. Whether the advice is any good is not looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.linear_score import LinearScore, load_score
from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record

REASON = "persona_chatter"
TABLE = Path(__file__).parent / "persona.toml"
WEIGHTS = Path(__file__).parent / "persona.npz"
LEAST_SIGN_SHARE = 0.3
LEAST_POINTS = 1.0
# A shorter text must score higher, by 1 for so many characters that it lacks; below the fewest the
# score is chance (single turns of SmileChat, CPsyCounD and EmoLLM).
SCORED_CHARS = 300
SHORT_TEXT_STEP_CHARS = 50
FEWEST_SCORED_CHARS = 80


@functools.cache
def signs() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "sign")


def leave_out_personas(record: Record) -> Record | Drop:
    """Do `leave_out_all_personas` with one record."""
    return leave_out_all_personas([record])[0]


def leave_out_all_personas(records: Sequence[Record]) -> list[Record | Drop]:
    """Drop each dialogue whose counselling side plays a part; take such answers out of questions."""
    voices = [_voices(record) for record in records]
    judged = iter(are_personas([said for each in voices for said in each]))
    return [
        _without(record, [next(judged) for _ in each]) for record, each in zip(records, voices, strict=True)
    ]


def _voices(record: Record) -> list[list[str]]:
    """Return what each counselling voice says: a dialogue has one, every answer is one."""
    if record.kind == "dialogue":
        return [[turn.text for turn in record.turns if turn.role == "counsellor"]]
    return [[answer.text] for answer in record.answers]


def _without(record: Record, are_played: list[bool]) -> Record | Drop:
    if not any(are_played):
        return record
    if record.kind == "dialogue" or all(are_played):
        return Drop(REASON)
    kept = [answer for answer, is_played in zip(record.answers, are_played, strict=True) if not is_played]
    return record.model_copy(update={"answers": tuple(kept)})


def is_persona(said: Sequence[str]) -> bool:
    """Return whether these turns of one voice are a persona's chatter."""
    return are_personas([said])[0]


def are_personas(voices: Sequence[Sequence[str]]) -> list[bool]:
    """Return of each voice's turns whether they are a persona's chatter, from a look at all of them at once."""
    joined = ["\n".join(said) for said in voices]
    signed = signs().may_match_any(joined)
    scores = load_score(WEIGHTS).of_all(joined)
    return [
        _is_enough(text, score) or (may_be_signed and signs_alone(said))
        for said, text, may_be_signed, score in zip(voices, joined, signed, scores, strict=True)
    ]


def scores_high(text: str, table: LinearScore) -> bool:
    """Return whether a table gives a text more than one of its length needs; chance weighs more in a short one."""
    return _is_enough(text, table.of(text))


def _is_enough(text: str, score: float) -> bool:
    needed = max(0.0, (SCORED_CHARS - len(text)) / SHORT_TEXT_STEP_CHARS)
    return len(text) >= FEWEST_SCORED_CHARS and bool(score > needed)


def signs_alone(said: Sequence[str]) -> bool:
    """Return whether enough of these turns show a sign of the table."""
    rows = signs().matching("\n".join(said))
    if not rows:
        return False
    points: float = sum(
        min(1.0, sum(row.more["points"] for row in rows if row.pattern.search(turn))) for turn in said
    )
    return points >= max(LEAST_POINTS, LEAST_SIGN_SHARE * len(said))
