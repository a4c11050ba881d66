"""Records in which somebody speaks of danger and the counsellor passes over it.

A record comes in; it goes out as it was, with a reply from the protocol in the
place of what passed over the danger, or not at all. A reply attends to a danger
when it asks about safety, names help or names a person (`crisis.toml`); looked
at are the replies from the first dangerous turn to the second after the most
dangerous one, or each answer of a question. What a person of this project wrote,
reviewed or judged by hand stays as it is. A protocol's reply fits only where the visitor's own life is
spoken of in that very turn; danger to or from others is told about in too many
ways, so such records are left out. What follows a new reply answered the old
one and goes. The rule is the same for training, dev and test: what passes over
a crisis is no reference either. How great the danger is was decided before, by
`safety` while cleaning.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Literal, NamedTuple

from psyllm.core.records import Answer, Record, Turn
from psyllm.core.starter import level_by_hand
from psyllm.safety.levels import Level
from psyllm.safety.notices import notice_for
from psyllm.safety.patterns import compile_pattern, sentence_before
from psyllm.safety.screen import Reason, screen
from psyllm.text.fold import screening_fold

CRISIS = Path(__file__).parent / "crisis.toml"
LEVEL_FLAG = "level:"
REANSWERED = "crisis_reanswered"
REPLIES_LOOKED_AT = 2

Policy = Literal["reanswer", "leave_out", "keep"]
Outcome = Literal["attended", "ignored", "reanswered", "left_out"]


class Treated(NamedTuple):
    """What became of a record; None is left out."""

    record: Record | None
    outcome: Outcome
    answers_left_out: int = 0


class _Danger(NamedTuple):
    """Where the greatest danger stands and the replies to it."""

    place: int
    text: str
    replies: list[str]


def is_crisis(flags: tuple[str, ...] | list[str]) -> bool:
    """Return whether cleaning flagged a level from which a person has to look."""
    levels = (flag.removeprefix(LEVEL_FLAG) for flag in flags if flag.startswith(LEVEL_FLAG))
    return any(Level.of(level) >= Level.RISK for level in levels)


def attends(reply: str) -> bool:
    """Return whether a reply asks about safety, names help or names a person."""
    seen = screening_fold(reply).text
    return any(sign.search(seen) for sign in _signs())


def treat(record: Record, policy: Policy) -> Treated:
    """Return what becomes of a record that is a crisis."""
    if record.reviewed_by or level_by_hand(record):
        return Treated(record, "attended")
    if record.kind == "question":
        return _treat_question(record, policy)
    danger = _greatest_danger(record)
    if danger is None or not danger.replies or any(map(attends, danger.replies)):
        return Treated(record, "attended")
    if policy == "keep":
        return Treated(record, "ignored")
    reply = _protocol_reply(danger.text, record.id) if policy == "reanswer" else None
    if reply is None:
        return Treated(None, "left_out")
    turns = (*record.turns[: danger.place + 1], Turn(role="counsellor", text=reply))
    return Treated(_changed(record, turns=turns), "reanswered")


def _treat_question(record: Record, policy: Policy) -> Treated:
    kept = tuple(answer for answer in record.answers if _is_ours(answer) or attends(answer.text))
    if len(kept) == len(record.answers):
        return Treated(record, "attended")
    if policy == "keep":
        return Treated(record, "attended" if kept else "ignored")
    if kept:
        changed = record.model_copy(update={"answers": kept})
        return Treated(changed, "attended", len(record.answers) - len(kept))
    reply = _protocol_reply(record.opening(), record.id) if policy == "reanswer" else None
    if reply is None:
        return Treated(None, "left_out")
    answer = Answer(text=reply, author="project", written_for_this_project=True)
    return Treated(_changed(record, answers=(answer,)), "reanswered", len(record.answers))


def _is_ours(answer: Answer) -> bool:
    return answer.written_for_this_project or bool(answer.reviewed_by) or answer.author == "counsellor"


def _greatest_danger(record: Record) -> _Danger | None:
    """Return the first turn of the greatest danger; None where no turn alone speaks of any."""
    levels = {
        place: screen([turn.text]).level for place, turn in enumerate(record.turns) if turn.role == "visitor"
    }
    dangers = [place for place, level in levels.items() if level >= Level.RISK]
    if not dangers:
        return None
    place = max(dangers, key=lambda each: (levels[each], -each))
    before = [turn.text for turn in record.turns[dangers[0] + 1 : place] if turn.role == "counsellor"]
    after = [turn.text for turn in record.turns[place + 1 :] if turn.role == "counsellor"]
    return _Danger(place, record.turns[place].text, before + after[:REPLIES_LOOKED_AT] if after else [])


def _protocol_reply(said: str, record_id: str) -> str | None:
    """Return the reply that fits what was said; one of several, by the record's id."""
    screening = screen([said])
    replies = _replies().get(notice_for(screening).value)
    if not replies or not any(_is_own(reason, said) for reason in screening.reasons):
        return None
    return replies[hashlib.sha256(record_id.encode()).digest()[0] % len(replies)]


def _is_own(reason: Reason, said: str) -> bool:
    """Return whether what was found is the visitor's own danger for certain enough to be answered so."""
    if reason.about != "self" or reason.level < Level.RISK:
        return False
    return reason.rule not in _rules_that_name_a_thing() or "我" in sentence_before(said, reason.start)


def _changed(record: Record, **fields: tuple[Turn, ...] | tuple[Answer, ...]) -> Record:
    return record.model_copy(update={**fields, "flags": (*record.flags, REANSWERED)})


@functools.cache
def _rules_that_name_a_thing() -> frozenset[str]:
    return frozenset(tomllib.loads(CRISIS.read_text("utf-8"))["fits"]["names_a_thing"])


@functools.cache
def _signs() -> tuple[re.Pattern[str], ...]:
    tables = tomllib.loads(CRISIS.read_text("utf-8"))
    return tuple(compile_pattern(row["pattern"], tables["parts"]) for row in tables["signs"])


@functools.cache
def _replies() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in tomllib.loads(CRISIS.read_text("utf-8"))["replies"]:
        found.setdefault(row["notice"], []).append(row["text"])
    return found
