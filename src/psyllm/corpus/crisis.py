"""Records in which somebody speaks of danger and the counsellor passes over it.

A record comes in; it goes out as it was, with a reply from the protocol in the
place of what passed over the danger, or not at all. Every turn that speaks of a
greater danger than all before it is judged by the replies between it and the
next such turn: one of the first two has to attend to it (`attending.py`), from
URGENT on the very first; of a question each answer has to. A counsellor's turn
that harms is never kept, whatever else attends. The first danger that was passed
over is answered anew, and what follows it goes, because it answered the old
reply. Danger after which nobody speaks is counted as that and as no help.

What a person of this project wrote, reviewed or judged by hand stays as it is.
From URGENT on nothing else stays: words can name every helper and send somebody
to die, so a reply that seems to attend is left out as well until it is reviewed.
A protocol's reply fits only where the visitor's own life is spoken of in that very
turn; danger to or from others is told about in too many ways, so such records
are left out. What passes over a crisis is no reference either: outside training
nothing is answered anew (`splitting.py`), it is left out. How great the danger
is was decided before, by `safety` while cleaning, with the words as they were
written. A mask may have swallowed some of them: a question is judged by the
greater of what was flagged and what is found. A dialogue in which less is found
than was flagged is left out, for nobody can tell which reply the danger got.
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from typing import Literal, NamedTuple

from psyllm.core.records import Answer, Record, Turn
from psyllm.core.starter import level_by_hand
from psyllm.corpus.attending import CRISIS, attends, harms
from psyllm.safety.levels import Level
from psyllm.safety.notices import notice_for
from psyllm.safety.patterns import compile_pattern, sentence_around, sentence_before
from psyllm.safety.screen import Reason, Screening, screen
from psyllm.text.fold import screening_fold

LEVEL_FLAG = "level:"
REANSWERED = "crisis_reanswered"
REPLIES_LOOKED_AT = 2
# Screening reads as many turns together where each is a word or two; a longer one stands for itself.
_TURNS_READ_TOGETHER = 4
_ALONE_FROM_CHARS = 20
# Sentences are told apart on text whose places are those of the turn as written.
_ENDS = str.maketrans("！？", "!?")

Policy = Literal["reanswer", "leave_out", "keep"]
Outcome = Literal["attended", "ignored", "no_reply", "not_found", "reanswered", "left_out", "unreviewed"]


class Treated(NamedTuple):
    """What became of a record; None is left out."""

    record: Record | None
    outcome: Outcome
    answers_left_out: int = 0


class _Danger(NamedTuple):
    """A turn of greater danger than all before it, and the counsellor's turns up to the next such turn."""

    place: int
    text: str
    screening: Screening
    replies: list[str]

    @property
    def is_attended(self) -> bool:
        level = self.screening.message_level
        looked_at = 1 if level >= Level.URGENT else REPLIES_LOOKED_AT
        return any(attends(reply, level) for reply in self.replies[:looked_at])

    @property
    def needs_a_person(self) -> bool:
        """Whether words can't tell that the replies help: the danger is near, and nobody reviewed them."""
        return bool(self.replies) and self.screening.message_level >= Level.URGENT


def is_crisis(flags: tuple[str, ...] | list[str]) -> bool:
    """Return whether cleaning flagged a level from which a person has to look."""
    return _flagged(flags) >= Level.RISK


def _flagged(flags: tuple[str, ...] | list[str]) -> Level:
    """Return the highest level among the flags."""
    levels = (flag.removeprefix(LEVEL_FLAG) for flag in flags if flag.startswith(LEVEL_FLAG))
    return max(map(Level.of, levels), default=Level.NONE)


def outcome_as_written(record: Record) -> Outcome | None:
    """Return what became of a crisis that stands in a corpus, None where it is none."""
    if REANSWERED in record.flags:
        return "reanswered"
    return treat(record, "keep").outcome if is_crisis(record.flags) else None


def treat(record: Record, policy: Policy) -> Treated:
    """Return what becomes of a record that is a crisis."""
    if record.reviewed_by or level_by_hand(record):
        return Treated(record, "attended")
    if record.kind == "question":
        return _treat_question(record, policy)
    return _treat_dialogue(record, policy)


def _treat_dialogue(record: Record, policy: Policy) -> Treated:
    dangers = _dangers(record)
    found = max((danger.screening.message_level for danger in dangers), default=Level.NONE)
    if found < max(Level.RISK, _flagged(record.flags)):
        return Treated(record if policy == "keep" else None, "not_found")
    faulty, passed_over = _first_fault(record, dangers)
    if policy == "keep":
        return Treated(record, "ignored" if faulty else _outcome(dangers))
    reply = None
    if passed_over is not None and policy == "reanswer":
        reply = _protocol_reply(passed_over.screening, passed_over.text, record.id)
    if faulty and (passed_over is None or reply is None):
        return Treated(None, "left_out")
    staying = [one for one in dangers if passed_over is None or one.place < passed_over.place]
    if any(danger.needs_a_person for danger in staying):
        return Treated(None, "unreviewed")
    if passed_over is None or reply is None:
        return Treated(record, _outcome(dangers))
    turns = (*record.turns[: passed_over.place + 1], Turn(role="counsellor", text=reply))
    return Treated(_changed(record, turns=turns), "reanswered")


def _outcome(dangers: list[_Danger]) -> Outcome:
    """Return what is said of a record in which no reply passes over a danger."""
    return "attended" if dangers[-1].replies else "no_reply"


def _first_fault(record: Record, dangers: list[_Danger]) -> tuple[bool, _Danger | None]:
    """Return whether anything is wrong, and the danger to answer anew: None where nothing before it may stay."""
    harm = next(
        (place for place, turn in enumerate(record.turns) if turn.role == "counsellor" and harms(turn.text)),
        None,
    )
    for danger in dangers:
        if danger.replies and not danger.is_attended and (harm is None or harm > danger.place):
            return True, danger
    before_harm = [danger for danger in dangers if harm is not None and danger.place < harm]
    return harm is not None, before_harm[-1] if before_harm else None


def _treat_question(record: Record, policy: Policy) -> Treated:
    screening = screen([record.opening()])
    level = max(Level.RISK, screening.level, _flagged(record.flags))
    kept = tuple(answer for answer in record.answers if _is_ours(answer) or attends(answer.text, level))
    if policy == "keep":
        return Treated(record, "attended" if kept else "ignored" if record.answers else "no_reply")
    if kept and level >= Level.URGENT:
        kept = tuple(answer for answer in kept if _is_ours(answer))
        if not kept:
            return Treated(None, "unreviewed")
    if len(kept) == len(record.answers):
        return Treated(record, "attended" if kept else "no_reply")
    if kept:
        changed = record.model_copy(update={"answers": kept})
        return Treated(changed, "attended", len(record.answers) - len(kept))
    reply = None
    if policy == "reanswer" and screening.level >= level:
        reply = _protocol_reply(screening, record.opening(), record.id)
    if reply is None:
        return Treated(None, "left_out")
    answer = Answer(text=reply, author="project", written_for_this_project=True)
    return Treated(_changed(record, answers=(answer,)), "reanswered", len(record.answers))


def _is_ours(answer: Answer) -> bool:
    return answer.written_for_this_project or bool(answer.reviewed_by) or answer.author == "counsellor"


def _dangers(record: Record) -> list[_Danger]:
    """Return the turns at which danger begins or grows, each with the replies up to the next."""
    found: list[_Danger] = []
    heard: list[str] = []
    highest = Level.DISTRESS
    for place, turn in enumerate(record.turns):
        if turn.role == "counsellor":
            if found:
                found[-1].replies.append(turn.text)
            continue
        heard.append(turn.text)
        is_short = len(turn.text) < _ALONE_FROM_CHARS
        screening = screen(heard[-_TURNS_READ_TOGETHER if is_short else -1 :])
        if screening.message_level > highest:
            highest = screening.message_level
            found.append(_Danger(place, turn.text, screening, []))
    # Who writes twice before anybody answers is answered once, at the greater danger.
    return [danger for danger in found[:-1] if danger.replies] + found[-1:]


def _protocol_reply(screening: Screening, said: str, record_id: str) -> str | None:
    """Return the reply that fits what was said last; one of several, by the record's id."""
    own = [reason for reason in screening.reasons if reason.about == "self" and reason.level >= Level.RISK]
    replies = _replies().get(notice_for(screening).value)
    if not replies or not any(_is_certain(reason, own, said) for reason in own):
        return None
    return replies[hashlib.sha256(record_id.encode()).digest()[0] % len(replies)]


def _is_certain(reason: Reason, own: list[Reason], said: str) -> bool:
    """Return whether what was found is the visitor's own danger for certain enough to be answered so."""
    fits = _fits()
    said = said.translate(_ENDS)
    if reason.rule in fits.names_a_thing and (
        "我" not in sentence_before(said, reason.start)
        or fits.of_another.search(sentence_around(said, reason.start, reason.end))
    ):
        return False
    if reason.rule not in fits.needs_a_second:
        return True
    return (
        len({other.rule for other in own}) > 1 or fits.plainly.search(screening_fold(said).text) is not None
    )


def _changed(record: Record, **fields: tuple[Turn, ...] | tuple[Answer, ...]) -> Record:
    return record.model_copy(update={**fields, "flags": (*record.flags, REANSWERED)})


class _Fits(NamedTuple):
    """When a rule of screening is enough to answer by."""

    names_a_thing: frozenset[str]
    needs_a_second: frozenset[str]
    plainly: re.Pattern[str]
    of_another: re.Pattern[str]


@functools.cache
def _fits() -> _Fits:
    tables = tomllib.loads(CRISIS.read_text("utf-8"))
    fits = tables["fits"]
    return _Fits(
        frozenset(fits["names_a_thing"]),
        frozenset(fits["needs_a_second"]),
        compile_pattern(fits["plainly"], tables["parts"]),
        compile_pattern(fits["of_another"], tables["parts"]),
    )


@functools.cache
def _replies() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in tomllib.loads(CRISIS.read_text("utf-8"))["replies"]:
        found.setdefault(row["notice"], []).append(row["text"])
    return found
