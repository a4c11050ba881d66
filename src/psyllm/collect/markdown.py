"""Markdown files, one document a file, as records.

Comes in: files with a heading or front matter (the lines between two `---` at
the top). Goes out: document records whose title is the front matter's, else
the first heading's, and whose text is bare of markup (`markup.py`). The front
matter's address, date and licence are kept, its author is cut and counted.
Files that are no text or no Markdown are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from psyllm.collect.markup import Block, blocks, plain
from psyllm.collect.member_texts import member_texts
from psyllm.collect.reading import Member
from psyllm.collect.source import Source
from psyllm.core.records import Record

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"^([A-Za-z\u4e00-\u9fff][\w-]*):[ \t]*(.*)$")
_LISTED = re.compile(r"^[ \t]*-[ \t]+(.+)$")
_HEADING = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
# Names that blogs and wikis use in front matter (Hugo, Jekyll, MkDocs, Hexo).
_URLS = ("url", "source_url", "canonical_url", "link", "permalink")
_DATES = ("date", "published", "created", "lastmod", "updated")
_LICENCES = ("licence", "license")
_AUTHORS = ("author", "authors", "作者")


def is_markdown(text: str) -> bool:
    """Return whether the text has front matter or a heading."""
    return _FRONT_MATTER.match(text) is not None or _HEADING.search(text) is not None


def records(members: Iterable[Member], path: Path, source: Source) -> Iterator[Record]:
    """Yield one record for each file that is Markdown.

    Raises:
        WrongEncoding: bytes are damaged or their encoding can't be told.
    """
    for name, text in member_texts(members, path, source):
        if not is_markdown(text):
            source.leave_out("file_is_no_markdown")
            continue
        yield _record(str(PurePosixPath(name).with_suffix("")), text, source)


def _record(key: str, text: str, source: Source) -> Record:
    entries, lists, body = front_matter(text)
    found = blocks(body)
    headings = [block for block in found if block.level]
    if any(entries.get(name) or lists.get(name) for name in _AUTHORS):
        source.cut("author")
    said = source.provenance(key)
    if licence := _first(entries, _LICENCES):
        said["licence"] = licence
    title = plain(entries.get("title", "")) or (headings[0].text if headings else "")
    return Record(
        kind="document",
        title=title,
        text="\n".join(block.text for block in _without_title(found, title)),
        topic=entries.get("topic", "") or entries.get("category", ""),
        keywords=tuple(lists.get("keywords", ()) or lists.get("tags", ())),
        url=_first(entries, _URLS),
        written_at=_first(entries, _DATES),
        **said,
    )


def _first(entries: dict[str, str], names: tuple[str, ...]) -> str:
    return next((entries[name] for name in names if entries.get(name)), "")


def _without_title(found: list[Block], title: str) -> list[Block]:
    if found and found[0].level and found[0].text == title:
        return found[1:]
    return found


def front_matter(text: str) -> tuple[dict[str, str], dict[str, list[str]], str]:
    """Return single entries and lists of the front matter, and the text after it.

    Only `name: value`, `name: [a, b]` and lists of `- value` lines are read; deeper YAML is passed over.
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, {}, text
    entries: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    name = ""
    for line in match.group(1).split("\n"):
        entry = _ENTRY.match(line)
        listed = _LISTED.match(line)
        if entry is not None:
            name, value = entry.group(1).lower(), entry.group(2).strip()
            if value.startswith("[") and value.endswith("]"):
                lists[name] = [_unquoted(part) for part in value[1:-1].split(",") if part.strip()]
            else:
                entries[name] = _unquoted(value)
        elif listed is not None and name:
            lists.setdefault(name, []).append(_unquoted(listed.group(1)))
    return entries, lists, text[match.end() :]


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
