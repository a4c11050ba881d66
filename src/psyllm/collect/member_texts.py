"""The texts of files that are one record each, counted.

Comes in: files of a folder or archive as bytes. Goes out: name and text, line
ends as one newline. What is no text, or damaged where damage is to be left out, is
counted and stays behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from psyllm.collect.encodings import decode, looks_binary
from psyllm.collect.file_names import told
from psyllm.collect.reading import Member
from psyllm.collect.source import Source


def member_texts(members: Iterable[Member], path: Path, source: Source) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file that is text.

    Raises:
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    for number, member in enumerate(source.each(members), 1):
        if looks_binary(member.raw):
            source.leave_out("file_is_no_text")
            continue
        text = decode(member.raw, f"{path}, {told(member.name, number)}", source.decoding)
        if not source.is_damaged(text):
            yield member.name, text.replace("\r\n", "\n")
