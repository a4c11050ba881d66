"""Markdown without its marks.

Comes in: the body of a Markdown file. Goes out: blocks of bare text, one a
line, each either a heading with its level or text. Links keep their words;
pictures, code blocks, footnotes, comments and tags go; headings with nothing
below them go too. Covers CommonMark and the common extensions (tables,
footnotes, admonitions, attribute lists) as regular expressions, so nested
oddities may leave a stray mark behind.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

TEXT_LEVEL = 7  # deeper than any heading
MOST_LEADS = 20  # quotes and lists within each other on one line; a line of marks alone has thousands


class Block(NamedTuple):
    """A line of bare text; `level` is 1 to 6 for a heading, 0 for text."""

    level: int
    text: str


# What goes whole, and how it ends: it is looked for up to the last end only, as every beginning
# without an end would be followed to the end of the text.
_ENDED = (
    (re.compile(r"<!--.*?-->", re.DOTALL), re.compile("-->")),
    *(
        (
            re.compile(rf"<{tag}\b.*?</{tag}\s*+>", re.DOTALL | re.IGNORECASE),
            re.compile(rf"</{tag}\s*+>", re.IGNORECASE),
        )
        for tag in ("script", "style")
    ),
)
_WHOLE = (
    re.compile(r"^([ \t]*)(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\2[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE),
    re.compile(r"^\[\^[^\]\n]+\]:[^\n]*(?:\n(?:[ \t]{2,}|\t)[^\n]+)*", re.MULTILINE),  # [^1]: a footnote
    re.compile(r"^[ ]{0,3}\[[^\]\n]+\]:[ \t]*\S[^\n]*$", re.MULTILINE),  # [name]: address
)
_RULE = re.compile(r"^(?:([-*_])(?:[ \t]*+\1){2,}+|=+)$")
_TABLE_RULE = re.compile(r"^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
_TABLE_ROW = re.compile(r"^\|.*\|$")
_HEADING = re.compile(r"^(#{1,6})[ \t]++(.*)$")
# !!! info "title", ??? note, === "tab"
_ADMONITION = re.compile(
    r"^(?:!!!|\?\?\?\+?|===)[ \t]++(?:[a-z][A-Za-z0-9_ \t-]*+)?(?:\"([^\"]*+)\"|([^\x00-\x7f].*))?$"
)
_LEAD = re.compile(r"^(?:>[ \t]?)+|^[-*+][ \t]+(?:\[[ xX]\][ \t]+)?")
# Bounded, so that a long line of marks takes no longer than a long line of words.
_INLINE = (
    (re.compile(r"!\[[^\]]{0,300}\](?:\([^)\n]{0,900}\)|\[[^\]]{0,99}\])"), ""),  # a picture
    (re.compile(r"\[\^[^\]\n]{1,99}\]"), ""),  # a footnote's number
    (re.compile(r"\[([^\]\n]{0,300})\]\((?:[^()\n]|\([^()\n]{0,300}\)){0,900}\)"), r"\1"),  # [words](address)
    (re.compile(r"\[([^\]\n]{1,300})\]\[[^\]\n]{0,99}\]"), r"\1"),  # [words][name]
    (re.compile(r"<(?:https?://|mailto:)[^>\s]{1,900}>"), ""),
    (re.compile(r"</?[A-Za-z][^<>\n]{0,300}>"), ""),
    (re.compile(r"\{[ ]?[:.#][^{}\n]{0,99}\}"), ""),  # { .class }
    (re.compile(r":[a-z0-9]{1,30}(?:[-_][a-z0-9]{1,30}){1,9}:"), ""),  # :material-link:
    (re.compile(r"(\*\*\*|\*\*|___|__|~~|==)(?=\S)(.{1,300}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\*)\*(?=[^\s*])([^*\n]{1,300})(?<=[^\s*])\*(?!\*)"), r"\1"),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]{1,300})(?<=[^\s_])_(?!\w)"), r"\1"),
    (re.compile(r"(`{1,3})([^`\n]{1,300})\1"), r"\2"),
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!>~|])")
_HIDDEN = 0xE000  # private use: where escaped marks wait until the others are gone
_SHOWN = {_HIDDEN + ord(mark): mark for mark in "\\`*_{}[]()#+-.!>~|"}


def blocks(body: str) -> list[Block]:
    """Return the blocks of a Markdown body in order."""
    for pattern, end in _ENDED:
        last = max((match.end() for match in end.finditer(body)), default=0)
        body = pattern.sub("", body[:last]) + body[last:]
    for pattern in _WHOLE:
        body = pattern.sub("", body)
    found = [_block(line.strip()) for line in body.split("\n")]
    return _without_empty_headings([block for block in found if block.text])


def plain(line: str) -> str:
    """Return a line without inline marks."""
    line = _ESCAPED.sub(lambda mark: chr(_HIDDEN + ord(mark.group(1))), line)
    for pattern, kept in _INLINE:
        line = pattern.sub(kept, line)
    return html.unescape(line).translate(_SHOWN).strip()


def _block(line: str) -> Block:
    for _ in range(MOST_LEADS):
        bare = _LEAD.sub("", line).strip()
        if bare == line or _RULE.match(line):
            break
        line = bare
    heading = _HEADING.match(line)
    if heading is not None:
        return Block(len(heading.group(1)), plain(heading.group(2).rstrip("#").rstrip(" \t")))
    if _RULE.match(line) or _TABLE_RULE.match(line):
        return Block(0, "")
    admonition = _ADMONITION.match(line)
    if admonition is not None:
        return Block(0, plain(admonition.group(1) or admonition.group(2) or ""))
    if _TABLE_ROW.match(line):
        line = "，".join(cell.strip() for cell in line.strip("|").split("|") if cell.strip())
    return Block(0, plain(line))


def _without_empty_headings(found: list[Block]) -> list[Block]:
    kept: list[Block] = []
    below = 0  # level of what is kept below, as TEXT_LEVEL for text; 0 for nothing
    for block in reversed(found):
        level = block.level or TEXT_LEVEL
        if block.level == 0 or below > level:
            kept.append(block)
            below = level
    return kept[::-1]
