"""Dialogues as text files, one a file, in CPsyCoun's form, as records.

Comes in: files of blocks that begin with 来访者： or 心理咨询师： (with a number
or a name in brackets behind the role). Goes out: dialogue records named after
their file. Lines without a role belong to the turn above them; what stands
before the first role is left out and counted, and so are other files.
Source: github.com/CAS-SIAT-XinHai/CPsyCoun.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from psyllm.collect.member_texts import member_texts
from psyllm.collect.reading import Member
from psyllm.collect.source import Source
from psyllm.core.records import Record, Role, Turn

# "来访者：", "心理咨询师：", "来访者2：", "来访者（姚先生）：", but not "妈妈：" or "我告诉来访者：".
_HEAD = re.compile(
    r"^[ \t\u3000]*(来访者|求助者|心理咨询师|咨询师)(?:[ \t]*\d{1,2}|[（(][^（()）\n]{1,20}[）)])?[ \t]*[：:]",
    re.MULTILINE,
)
_ROLES: dict[str, Role] = {
    "来访者": "visitor",
    "求助者": "visitor",
    "心理咨询师": "counsellor",
    "咨询师": "counsellor",
}


def is_dialogue_text(text: str) -> bool:
    """Return whether both a visitor and a counsellor speak in this text."""
    return len({_ROLES[match.group(1)] for match in _HEAD.finditer(text)}) == len(set(_ROLES.values()))


def records(members: Iterable[Member], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record for each file that is a dialogue.

    Raises:
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    for name, text in member_texts(members, path, source):
        before, turns = split_turns(text)
        if not turns:
            source.leave_out("file_is_no_dialogue")
            continue
        if before:
            source.cut("lines_before_the_first_speaker")
        key = str(PurePosixPath(name).with_suffix(""))
        yield Record(kind="dialogue", turns=tuple(turns), **source.provenance(key))


def split_turns(text: str) -> tuple[str, list[Turn]]:
    """Return what stands before the first speaker, and the turns."""
    text = text.replace("\r\n", "\n")
    heads = list(_HEAD.finditer(text))
    if not heads:
        return text.strip(), []
    ends = [head.start() for head in heads[1:]] + [len(text)]
    turns = [
        Turn(role=_ROLES[head.group(1)], text=text[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=True)
    ]
    return text[: heads[0].start()].strip(), turns
