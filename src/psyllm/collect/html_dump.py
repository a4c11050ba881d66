"""HTML files, a folder or tar of saved pages, as records.

Comes in: files that are HTML, whatever they are called. Goes out: questions and
documents by the adapters of `sites`. A page's URL is what it says of itself
(canonical link, og:url, a browser's note of where it was saved from), else the
path of a mirror (`bbs.tianya.cn/post-free-1-1.shtml`), else the file's name on a
known site. An address that several pages of an unknown site name (often the front
page) is none of theirs: then the path counts. When it was fetched is not known, so that times such as 3小时前 are
dropped. A packed tar is unpacked into a temporary file, which nobody else sees.
"""

from __future__ import annotations

import html
import itertools
import re
import shutil
import tarfile
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psyllm.collect import dialogues_text, markdown, reading, tars
from psyllm.collect.file_names import readable, told
from psyllm.collect.page_threads import Loaded, PageArchive
from psyllm.collect.sites.addresses import canonical
from psyllm.collect.sites.choose import SITES
from psyllm.collect.sites.contract import Page
from psyllm.collect.source import Keys, Source
from psyllm.core.errors import MalformedInput
from psyllm.core.records import Record

HEAD_BYTES = 1 << 16
FILES_TRIED = 50
NOWHERE = "http://file.invalid/"  # RFC 2606: a host that can never be; no record shows it
# A page begins with a doctype or an element of its frame, at most behind a byte order mark and comments.
# Nothing is tried twice (possessive, atomic): any file may be asked, also one of nothing but comments.
_PAGE = re.compile(
    rb"\s*+(?:\xef\xbb\xbf)?+\s*+(?:<\?xml[^>]*+>\s*+)?+(?>(?><!--.*?-->)\s*+)*+"
    rb"<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_SAYS = (
    re.compile(rb"<link\b[^<>]*\brel\s*=\s*[\"']?canonical\b[^<>]*>", re.IGNORECASE),
    re.compile(rb"<meta\b[^<>]*\bproperty\s*=\s*[\"']?og:url\b[^<>]*>", re.IGNORECASE),
)
_ADDRESS = re.compile(rb"(?:href|content)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_SAVED = re.compile(rb"<!--\s*saved from url=\(\d+\)(\S+)\s*-->")
_HOST = re.compile(r"^(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?$", re.IGNORECASE)


def is_html(raw: bytes) -> bool:
    """Return whether bytes begin as a page does."""
    return _PAGE.match(raw[:HEAD_BYTES]) is not None


def is_dump(path: Path) -> bool:
    """Return whether the first files are pages rather than Markdown or dialogues."""
    if path.is_file() and not (reading.is_tar(first := reading.head(path)) or is_html(first)):
        return False
    pages = others = 0
    for member in itertools.islice(reading.heads(path, HEAD_BYTES), FILES_TRIED):
        if is_html(member.raw):
            pages += 1
        elif b"\x00" not in member.raw:
            text = member.raw.decode("utf-8", "ignore")
            others += markdown.is_markdown(text) or dialogues_text.is_dialogue_text(text)
    return pages > others


def records(path: Path, source: Source) -> Iterator[Record]:
    """Yield one record for each thread whose question or article is among the files.

    Raises:
        MalformedInput: a tar breaks off or is damaged, or a file is larger than any page.
    """
    with _opened(path) as tar:
        files = _Files(path, tar)
        shared = _Shared()
        pages = array("Q")
        for place in range(len(files.names)):
            raw = files.read(place)
            if is_html(raw):
                pages.append(place)
                shared.note(raw)
            else:
                source.read += 1
                source.leave_out("file_is_no_page")
        archive = PageArchive(
            source, lambda place: Loaded(_page(files.names[place], files.read(place), shared, source))
        )
        for place in pages:
            archive.add(_url_of(files.names[place], files.read(place), shared, source), place)
        for record in archive.records():
            yield record.model_copy(update={"url": ""}) if record.url.startswith(NOWHERE) else record


class _Shared:
    """Addresses that more than one page names as its own."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._shared: set[str] = set()

    def note(self, raw: bytes) -> None:
        """Take note of the address that a page names."""
        said = _said_by_itself(raw[:HEAD_BYTES])
        if said and self._keys.times(said) > 1:
            self._shared.add(said)

    def __contains__(self, url: str) -> bool:
        """Return whether an address tells nothing; a thread of a known site has many pages by its nature."""
        return url in self._shared and not any(site().thread_of(url) for site in SITES.values())


class _Files:
    """The files of a folder or tar, or one file, in any order."""

    def __init__(self, path: Path, tar: tarfile.TarFile | None) -> None:
        self._path = path
        self._tar = tar
        entries = [entry for entry in tar or () if not _is_hidden(entry.name)]
        tars.need_files_behind([tars.target_of(one) for one in entries if tars.is_link(one)], entries, path)
        self._entries = [entry for entry in entries if entry.isreg()]
        self._places = reading.walk(path) if path.is_dir() else [path]
        self.names = [readable(entry.name.removeprefix("./")) for entry in self._entries]
        if tar is None:
            below = path if path.is_dir() else path.parent
            self.names = [readable(place.relative_to(below).as_posix()) for place in self._places]

    def read(self, place: int) -> bytes:
        """Return a file's bytes."""
        if self._tar is not None:
            file = self._tar.extractfile(self._entries[place])
            return b"" if file is None else self._whole(file, place)
        path = self._places[place]
        with path.open("rb") if self._path.is_dir() else reading.unpacked(path) as lone:
            return self._whole(lone, place)

    def _whole(self, file: IO[bytes], place: int) -> bytes:
        raw = file.read(reading.MOST_MEMBER_BYTES + 1)
        if len(raw) > reading.MOST_MEMBER_BYTES:
            message = f"{self._path}: {told(self.names[place], place + 1)} is larger than any page"
            raise MalformedInput(message, "take it out, then import again")
        return raw


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile | None]:
    """Give a tar whose files can be read in any order, or nothing for what is no tar."""
    if path.is_dir() or not reading.is_tar(reading.head(path)):
        yield None
        return
    try:
        with path.open("rb") as file, tempfile.TemporaryFile() as unpacked:
            lies_plain = reading.is_tar(file.read(512))
            if not lies_plain:
                with reading.unpacked(path) as stream:
                    shutil.copyfileobj(stream, unpacked, 1 << 20)
            plain = file if lies_plain else unpacked
            plain.seek(0)
            with tars.opened(plain, "r:") as tar:
                yield tar
    except tarfile.ReadError as error:
        raise tars.refused(path, error) from None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.removeprefix("./").split("/"))


def _page(name: str, raw: bytes, shared: _Shared, source: Source) -> Page:
    return Page(_url_of(name, raw, shared, source), raw)


def _url_of(name: str, raw: bytes, shared: _Shared, source: Source) -> str:
    """Return where a page stood; for a page that nobody can place, a name that names nobody under `NOWHERE`."""
    said = _said_by_itself(raw[:HEAD_BYTES])
    if said and said not in shared:
        return said
    parts = name.split("/")
    for place, part in enumerate(parts[:-1]):
        if _HOST.match(part):
            return canonical(f"http://{part}/{'/'.join(parts[place + 1 :])}")
    known = (canonical(f"https://{site().hosts[0]}/{parts[-1]}") for site in SITES.values())
    fitting = (url for url, site in zip(known, SITES.values(), strict=True) if site().thread_of(url))
    return next(fitting, canonical(f"{NOWHERE}{source.without_person(name)}"))


def _said_by_itself(head: bytes) -> str:
    for pattern in _SAYS:
        tag = pattern.search(head)
        address = _ADDRESS.search(tag.group()) if tag else None
        if address is not None and (url := _absolute(address.group(1))):
            return url
    saved = _SAVED.search(head)
    return _absolute(saved.group(1)) if saved else ""


def _absolute(address: bytes) -> str:
    said = html.unescape(address.decode("utf-8", "ignore"))
    return canonical(f"https:{said}" if said.startswith("//") else said)
