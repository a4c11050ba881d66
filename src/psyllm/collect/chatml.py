"""Chats as plain text in ChatML: `<|im_start|>role`, the words, `<|im_end|>`.

Comes in: text in pieces of any size. Goes out: chats as lists of role and
words. A new chat begins at a system prompt or behind `<|endoftext|>`; without
either the whole text is one chat. Memory holds one chat.
Source: OpenAI's ChatML description, Qwen's chat template.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

from psyllm.collect.reading import text
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput

START = "<|im_start|>"
END = "<|im_end|>"
END_OF_CHAT = "<|endoftext|>"
MOST_TURN_CHARS = 1 << 26
_BLOCK_BYTES = 1 << 18
Said = list[tuple[str, str]]


def is_chatml(content: str) -> bool:
    """Return whether a text begins as ChatML."""
    return content.lstrip("\ufeff \t\r\n").startswith(START)


def pieces(path: Path, source: Source) -> Iterator[str]:
    """Yield a file's text in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with text(path, source.decoding) as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield decoder.decode(block)


def chats(content: Iterable[str], source: Source) -> Iterator[Said]:
    """Yield the chats; text outside of turns and a turn that breaks off are cut and counted.

    Raises:
        MalformedInput: a turn has no end.
    """
    chat: Said = []
    for turn in _turns(content):
        role, _, words = turn.partition("\n")
        words, end, behind = words.partition(END)
        if role.strip() == "system" and chat:
            yield chat
            chat = []
        if not end:
            source.cut("turn_that_breaks_off")
        elif role.strip():
            chat.append((role.strip(), words))
        if END_OF_CHAT in behind and chat:
            yield chat
            chat = []
        if behind.replace(END_OF_CHAT, "").strip():
            source.cut("text_outside_of_turns")
    if chat:
        yield chat


def _turns(content: Iterable[str]) -> Iterator[str]:
    """Yield what stands behind each start mark."""
    held = ""
    begun = False
    for piece in content:
        held += piece
        *whole, held = held.split(START)
        for turn in whole:
            if begun:
                yield turn
            begun = True
        if len(held) > MOST_TURN_CHARS:
            message = (
                f"a turn of ChatML has more than {MOST_TURN_CHARS >> 20} Mi characters: its end is missing"
            )
            raise MalformedInput(message, f"look for a {START} without its {END}, then import again")
    if begun:
        yield held
