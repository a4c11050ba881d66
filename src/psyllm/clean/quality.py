"""Steps that judge what a text is written in, and mend what a page left in it.

A record comes in; the same, a mended record or a Drop goes out: encoded
characters and tags of pages are written out or taken away, text in another
language, broken by a wrong encoding or going round in circles is left out. What
is said is not judged here, and no list of forbidden words is kept: in
psychology the words of such lists are what people come to talk about.
"""

from __future__ import annotations

import functools
import html
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from psyllm.clean.drop import Drop
from psyllm.clean.makeup import Makeup, makeups
from psyllm.clean.rewriting import change_texts
from psyllm.clean.rule_rows import RuleTable, read_table
from psyllm.core.records import Record
from psyllm.text.fold import Folded
from psyllm.text.offsets import Offsets, substitute

TABLE = Path(__file__).parent / "quality.toml"
# Chinese text has hardly any kana or hangul; a quoted word or a drawn face is less than this.
MOST_KANA_SHARE = 0.15
MOST_HANGUL_SHARE = 0.15
# A few broken characters may be a lost picture; 3 and 1 in 200 are a lost text.
FEWEST_BROKEN = 3
LEAST_BROKEN_SHARE = 0.005
# Chinese articles of that length compress to 0.4 to 0.6 of their bytes, repeated ones to less than a tenth.
LEAST_COMPRESSED_SHARE = 0.12
FEWEST_CHARS_TO_COMPRESS = 200
MOST_CHARS_TO_COMPRESS = 20_000

_MARKUP = re.compile(
    r"&(?:nbsp|amp|lt|gt|quot|apos|ldquo|rdquo|lsquo|rsquo|hellip|mdash|ndash|middot|ensp|emsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});"
    r"|<br\s*/?>|</(?:p|div|li|tr|h[1-6])>"
    r"|</?(?:p|div|span|a|img|strong|b|i|u|em|ul|ol|li|h[1-6]|table|tbody|tr|td|th|font|blockquote|section|figure"
    r"|figcaption|center|hr)(?:\s[^<>]{0,400})?/?>"
    r"|<(script|style)\b[^<>]{0,200}>[^<]{0,20000}</\1>|<!--.{0,2000}?-->",
    re.IGNORECASE | re.DOTALL,
)
_BREAKS = ("<br", "</p", "</div", "</li", "</tr", "</h")


@functools.cache
def broken_rows() -> RuleTable:
    """Return the rows of the table."""
    return read_table(TABLE, "broken")


def mend_markup(record: Record) -> Record:
    """Write out encoded characters and take out a page's tags that an import left in a text."""
    if not any("&" in text or "<" in text for text in record.texts()):
        return record
    return change_texts(record, _without_markup)


def may_be_broken(records: Sequence[Record]) -> list[bool]:
    """Return which records `need_whole_text` has to look at: one look at all of them at once."""
    joined = ["\n".join(record.texts()) for record in records]
    found = broken_rows().may_match_any(joined)
    return [is_found or "\ufffd" in text for is_found, text in zip(found, joined, strict=True)]


def need_whole_text(record: Record) -> Record | Drop:
    """Drop a record with a text that was read in the wrong encoding."""
    texts = "\n".join(record.texts())
    broken = texts.count("\ufffd")
    if broken >= FEWEST_BROKEN and broken >= LEAST_BROKEN_SHARE * len(texts):
        return Drop("broken_text")
    return Drop("broken_text") if broken_rows().matching(texts) else record


def need_chinese(record: Record, *, least_share: float) -> Record | Drop:
    """Do `need_chinese_all` with one record."""
    return need_chinese_all([record], least_share=least_share)[0]


def need_chinese_all(records: Sequence[Record], *, least_share: float) -> list[Record | Drop]:
    """Drop each record in another language, or mostly of something else than Chinese characters."""
    found = makeups(["".join(record.texts()) for record in records])
    return [_chinese(record, one, least_share) for record, one in zip(records, found, strict=True)]


def _chinese(record: Record, found: Makeup, least_share: float) -> Record | Drop:
    if found.kana > MOST_KANA_SHARE * found.visible or found.hangul > MOST_HANGUL_SHARE * found.visible:
        return Drop("other_language")
    if found.han == 0 or found.han_share < least_share:
        return Drop("little_chinese")
    return record


def need_text(record: Record) -> Record | Drop:
    """Drop a document that has a title and nothing else."""
    if record.kind == "document" and record.text.strip() in {"", record.title.strip()}:
        return Drop("title_only")
    return record


def need_variety(record: Record) -> Record | Drop:
    """Drop a document that says the same over and over."""
    if record.kind != "document" or len(record.text) < FEWEST_CHARS_TO_COMPRESS:
        return record
    content = record.text[:MOST_CHARS_TO_COMPRESS].encode("utf-8", "replace")
    if len(zlib.compress(content, 1)) < LEAST_COMPRESSED_SHARE * len(content):
        return Drop("repeats_itself")
    return record


def _without_markup(text: str) -> Folded:
    if "&" not in text and "<" not in text:
        return Folded(text, Offsets())
    return Folded(*substitute(_MARKUP, _written_out, text))


def _written_out(match: re.Match[str]) -> str:
    found = match.group().lower()
    if found.startswith("&"):
        return html.unescape(match.group())
    return "\n" if found.startswith(_BREAKS) else ""
