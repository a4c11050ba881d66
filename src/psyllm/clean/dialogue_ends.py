"""Cleaning steps for how a dialogue goes on and ends: empty courtesies, cut-off last words, one voice alone.

A record comes in; the same, a mended record or a Drop goes out. Records of
other kinds come back untouched. Loops of longer turns are `dialogue_steps.py`'s.
"""

from __future__ import annotations

import itertools
import re

from psyllm.clean.drop import Drop
from psyllm.core.records import Record, Turn
from psyllm.text.han import is_han
from psyllm.text.sentences import complete_prefix

# Thanks and answer, farewell and answer: what follows is said for politeness' sake.
MOST_COURTESIES = 4
LONGEST_COURTESY_CHARS = 45
_COURTESY = re.compile(
    r"谢谢|感谢|不客气|不用谢|不用客气|再见|拜拜|祝你|祝您|祝福|加油|保重|晚安|(?:^|[，。！])(?:好的|嗯|嗯嗯|明白了|知道了)[，。！]"
)
# What still asks or tells something is no courtesy, and danger least of all.
_MATTER = re.compile(r"[？?]|但是|可是|不过|还有|死|自杀|自残|活|害怕|担心|难受|痛苦")
LONG_LAST_TURN_CHARS = 40
_STOPS_INSIDE = re.compile(r"[，、；：,;:（(“]\s*$")
LEAST_SIDE_SHARE = 0.02
CHARS_TO_JUDGE_SIDES = 400


def cut_courtesies(record: Record) -> Record:
    """End a dialogue after its first thanks and answers where nothing but courtesies follows."""
    turns = record.turns
    start = len(turns)
    while start and _is_courtesy(turns[start - 1]):
        start -= 1
    if len(turns) - start <= MOST_COURTESIES:
        return record
    end = start + MOST_COURTESIES // 2
    if turns[end - 1].role != "counsellor":
        end += 1
    return record.model_copy(update={"turns": turns[:end]})


def mend_last_turn(record: Record) -> Record:
    """Take an unfinished last sentence off a long last turn of the counsellor, as a full buffer leaves it."""
    if not record.turns or record.turns[-1].role != "counsellor":
        return record
    last = record.turns[-1]
    if len(last.text) < LONG_LAST_TURN_CHARS or not _stops_inside(last.text):
        return record
    whole = complete_prefix(last.text, final=True).rstrip()
    if len(whole) < LONG_LAST_TURN_CHARS // 2:
        return record
    spans = tuple(span for span in last.spans if span.end <= len(whole))
    mended = last.model_copy(update={"text": whole, "spans": spans})
    return record.model_copy(update={"turns": (*record.turns[:-1], mended)})


def need_two_sides(record: Record) -> Record | Drop:
    """Drop a long dialogue in which one side says next to nothing."""
    if record.kind != "dialogue":
        return record
    visitor = sum(len(turn.text) for turn in record.turns if turn.role == "visitor")
    together = sum(len(turn.text) for turn in record.turns)
    smaller = min(visitor, together - visitor)
    if together >= CHARS_TO_JUDGE_SIDES and smaller < LEAST_SIDE_SHARE * together:
        return Drop("one_sided")
    return record


def _is_courtesy(turn: Turn) -> bool:
    text = turn.text
    return len(text) <= LONGEST_COURTESY_CHARS and bool(_COURTESY.search(text)) and not _MATTER.search(text)


def _stops_inside(text: str) -> bool:
    if _STOPS_INSIDE.search(text):
        return True
    tail = "".join(itertools.islice(reversed(text), 25))
    # No end mark, and the last sentence is long enough to have had one.
    return is_han(text[-1]) and not re.search(r"[。！？!?…~～\n]", tail)
