"""The bytes of a page as text, whatever charset it declares.

Comes in: a page's bytes and its content type. Goes out: UTF-8 bytes or text for
the parser, and whether characters were damaged. What is valid UTF-8 is UTF-8,
whatever is declared. Otherwise each declared charset, GB18030 and Big5 are
tried, and the declared one gives way only to one that makes clearly more of the
commonest Chinese characters: pages of the 2000s declare gb2312 and hold Big5,
or declare UTF-8 and hold GBK. Nothing is dropped: bytes that fit no charset
become U+FFFD.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

SAMPLE_CHARS = 20_000
CLEARLY_MORE = 0.1
_HEAD_BYTES = 2048  # HTML's standard looks for a declaration in 1,024; old pages put a script first
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{3,20})", re.IGNORECASE)
# The 60 commonest characters of everyday Chinese, simplified and traditional; a guess by hand, ample to tell
# right from wrong: in the right charset about a third of all characters are among them, else about a hundredth.
_COMMON = frozenset("的一是不了我有在人这這个個们們他她你来來到说說就那要也会會着著没沒看好自己上去子和地出道得时時想过過么麼能之天知心事为為可以还還很对對生中")  # fmt: skip
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs"}
_ASSUMED = ("gb18030", "big5hkscs")
# Python's names of what a page may be in. Python knows codecs besides that are no charset: `undefined` fails on
# every text, `raw_unicode_escape` makes halves of characters.
_CHARSETS = re.compile(
    r"utf-(8|16|32)(-(sig|le|be))?|gb(2312|k|18030)|big5(hkscs)?|hz|euc_(jp|kr)|shift_jis|iso8859-\d+|koi8-[ru]"
    r"|cp(125\d|932|949|950)"
)


class Decoded(NamedTuple):
    """A page for the parser; `damaged` when some bytes fit no charset."""

    markup: str | bytes
    damaged: bool = False

    def text(self) -> str:
        """Return the page as text."""
        return self.markup.decode() if isinstance(self.markup, bytes) else self.markup


def decoded(body: bytes, content_type: str = "") -> Decoded:
    """Return a page's bytes in the charset that fits."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _read(body, "utf-16")
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        body.decode()
    except UnicodeDecodeError:
        return _foreign(body, content_type)
    return Decoded(body)


def _foreign(body: bytes, content_type: str) -> Decoded:
    fitting = [
        text for name in _candidates(body, content_type) if (text := _strictly(body, name)) is not None
    ]
    if fitting:
        best = fitting[0]
        for other in fitting[1:]:
            if _common_share(other) > _common_share(best) + CLEARLY_MORE:
                best = other
        return Decoded(best)
    damaged = [_read(body, "utf-8"), _read(body, "gb18030")]
    return min(damaged, key=lambda one: one.text().count("\ufffd"))


def _candidates(body: bytes, content_type: str) -> list[str]:
    """Return the declared charsets that are known, then the assumed ones."""
    found = _DECLARED.findall(content_type.encode("latin-1", "replace")) + _DECLARED.findall(
        body[:_HEAD_BYTES]
    )
    names = [name.decode().lower() for name in found]
    wider = [_WIDER.get(name, name) for name in names] + list(_ASSUMED)
    return list(dict.fromkeys(name for name in wider if _is_charset(name)))


def _is_charset(name: str) -> bool:
    try:
        return _CHARSETS.fullmatch(codecs.lookup(name).name) is not None
    except (LookupError, ValueError):
        return False


def _strictly(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeError:
        return None


def _read(body: bytes, name: str) -> Decoded:
    text = body.decode(name, "replace")
    return Decoded(text, damaged="\ufffd" in text)


def _common_share(text: str) -> float:
    wide = [character for character in text[:SAMPLE_CHARS] if character > "\u2e7f"]
    return sum(character in _COMMON for character in wide) / len(wide) if wide else 0.0
