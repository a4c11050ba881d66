"""Files of text in ChatML as records.

Comes in: one file with many chats, or a folder or archive of files. Goes out:
dialogue records, named by their place in the file. How ChatML is taken apart is
`chatml.py`'s, what roles mean `chats.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from psyllm.collect import chatml, chats
from psyllm.collect.member_texts import member_texts
from psyllm.collect.reading import Member
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Record


def records(path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a chat of a file.

    Raises:
        MalformedInput: a role is unknown, or a turn has no end.
    """
    yield from _records(chatml.chats(chatml.pieces(path, source), source), "", path, source)


def member_records(members: Iterable[Member], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record a chat of each file that is ChatML.

    Raises:
        MalformedInput: a role is unknown, or a turn has no end.
    """
    for name, text in member_texts(members, path, source):
        if not chatml.is_chatml(text):
            source.leave_out("file_is_no_chat")
            continue
        source.read -= 1  # what is counted are the chats inside
        yield from _records(
            chatml.chats([text], source), str(PurePosixPath(name).with_suffix("")), path, source
        )


def _records(found: Iterable[chatml.Said], name: str, path: Path, source: Source) -> Iterator[Record]:
    for number, said in enumerate(source.each(found), 1):
        words = "\n".join(text for _, text in said)
        if source.is_damaged(words):
            continue
        key = f"{name}/{number}" if name else source.key_of(words.encode())
        try:
            yield chats.dialogue(said, key, source)
        except chats.LeftOut as error:
            source.leave_out(str(error))
        except KeyError:
            message = f"{path}, chat {number:,}: a role is none of a visitor or counsellor"
            raise MalformedInput(message, "name the roles user and assistant, then import again") from None
