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


def may_be_personas(records: Sequence[Record]) -> list[bool]:
    """Return which records `leave_out_personas` has to look at: one look at all of them at once."""
    replies = [list(record.replies()) for record in records]
    said = ["\n".join(texts) for texts in replies]
    signed = signs().may_match_any(said)
    # An answer is judged alone, a dialogue's turns together.
    alone = [text for record, texts in zip(records, replies, strict=True) if record.answers for text in texts]
    table = load_score(WEIGHTS)
    high = {text for text, score in zip(alone, table.of_all(alone), strict=True) if score > 0}
    scores = table.of_all(said)
    return [
        is_signed or score > 0 or not high.isdisjoint(texts)
        for is_signed, score, texts in zip(signed, scores, replies, strict=True)
    ]


def leave_out_personas(record: Record) -> Record | Drop:
    """Drop a dialogue whose counselling side plays a part; take such answers out of a question."""
    if record.kind == "dialogue":
        said = [turn.text for turn in record.turns if turn.role == "counsellor"]
        return Drop(REASON) if is_persona(said) else record
    kept = tuple(answer for answer in record.answers if not is_persona([answer.text]))
    if len(kept) == len(record.answers):
        return record
    return record.model_copy(update={"answers": kept}) if kept else Drop(REASON)


def is_persona(said: Sequence[str]) -> bool:
    """Return whether these turns of one voice are a persona's chatter."""
    return signs_alone(said) or scores_high("\n".join(said), load_score(WEIGHTS))


def scores_high(text: str, table: LinearScore) -> bool:
    """Return whether a table gives a text more than one of its length needs; chance weighs more in a short one."""
    needed = max(0.0, (SCORED_CHARS - len(text)) / SHORT_TEXT_STEP_CHARS)
    return len(text) >= FEWEST_SCORED_CHARS and bool(table.of(text) > needed)


def signs_alone(said: Sequence[str]) -> bool:
    """Return whether enough of these turns show a sign of the table."""
    rows = signs().matching("\n".join(said))
    if not rows:
        return False
    points: float = sum(
        min(1.0, sum(row.more["points"] for row in rows if row.pattern.search(turn))) for turn in said
    )
    return points >= max(LEAST_POINTS, LEAST_SIGN_SHARE * len(said))
