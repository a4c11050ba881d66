"""Bytes of a file, a packed file, a folder, a tar or a zip.

Packing is told by the first bytes, never by the name, and undone while
reading, so that memory does not grow with the file. What breaks off is said
with its place and the next command to type; no text of it is ever named.
`text` gives a file as UTF-8 whatever its encoding (`encodings.py`). Nothing
here knows what the text means.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa

from psyllm.collect import tars, zips
from psyllm.collect.encodings import Decoding, Utf8Stream
from psyllm.collect.file_names import may_name_somebody, readable, told
from psyllm.core.errors import MalformedInput, MissingFile
from psyllm.core.progress import report

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 1 << 16
MOST_MEMBER_BYTES = 1 << 26
# First bytes of packings (their specifications) and the command that shows what is wrong with one.
_PACKINGS = {
    b"\x1f\x8b": ("gzip", "gzip -t"),
    b"\xfd7zXZ\x00": ("xz", "xz -t"),
    b"BZh": ("bzip2", "bzip2 -t"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -t"),
}
# How a file of data may begin: packed, a zip or workbook, Parquet.
DATA_BEGINS = (*_PACKINGS, b"PK\x03\x04", b"PAR1")
_UNPACKING_ERRORS = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
_BREAKS_OFF = "Truncated"  # as Arrow's zstd reader says it


class Member(NamedTuple):
    """One file of a folder, tar or zip: its path inside and its bytes."""

    name: str
    raw: bytes


class File(NamedTuple):
    """One file of a folder, tar or zip that lies on the disk: its path inside and where it lies."""

    name: str
    path: Path


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a file; a broken packing becomes `MalformedInput` with the place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        first = self._file.read(8)
        self._file.seek(0)
        self.packing, self._check = next(
            (value for magic, value in _PACKINGS.items() if first.startswith(magic)), ("", "")
        )
        self._stream = _unpacking(self._file, self.packing)
        self._read_bytes = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer with unpacked bytes.

        Raises:
            MalformedInput: the packing breaks off or is damaged.
        """
        try:
            block = self._stream.read(len(memoryview(buffer)))
        except (*_UNPACKING_ERRORS, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            found = "breaks off" if isinstance(error, EOFError) or _BREAKS_OFF in str(error) else "is damaged"
            message = f"{self._path} {found}: its {self.packing} data can be read for {self._read_bytes:,} bytes only"
            raise MalformedInput(
                message, f"check it with: {self._check} {self._path}; then fetch it again"
            ) from None
        memoryview(buffer)[: len(block)] = block
        self._read_bytes += len(block)
        return len(block)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _unpacking(file: io.BufferedReader, packing: str) -> _Readable:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=file)
    if packing == "xz":
        return lzma.LZMAFile(file)
    if packing == "bzip2":
        return bz2.BZ2File(file)
    if packing == "zstd":
        stream: _Readable = pa.CompressedInputStream(file, "zstd")
        return stream
    return file


def unpacked(path: Path) -> io.BufferedReader:
    """Return the unpacked bytes of a file, read as they are asked for.

    Raises:
        MissingFile: there is no such file.
    """
    need(path)
    return io.BufferedReader(Unpacked(path), buffer_size=1 << 18)


def text(path: Path, decoding: Decoding | None = None) -> io.BufferedReader:
    """Return a file's text as UTF-8 bytes, read as they are asked for; reading them may raise.

    Raises:
        MissingFile: there is no such file.
        WrongEncoding: bytes are damaged or their encoding can't be told.
        UnknownFormat: this is no text.
    """
    stream = Utf8Stream(unpacked(path), str(path), decoding or Decoding())
    return io.BufferedReader(stream, buffer_size=1 << 18)


def need(path: Path) -> None:
    """Raise MissingFile unless the path exists, and MalformedInput unless it is a file or folder."""
    if not path.exists():
        message = f"there is no file or folder {path}"
        raise MissingFile(message, f"check the path: ls {path.parent}")
    if not (path.is_file() or path.is_dir()):  # a pipe can be read once only, and may never end
        message = f"{path} is a pipe or device, no file"
        raise MalformedInput(message, "write what comes out of it to a file, then import that")


def head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with unpacked(path) as stream:
        return stream.read(HEAD_BYTES)


def is_packed(path: Path) -> bool:
    """Return whether a file is packed as one stream (gzip, xz, bzip2, zstd)."""
    with Unpacked(path) as stream:
        return bool(stream.packing)


def is_tar(first: bytes) -> bool:
    """Return whether a file that begins so is a tar."""
    return first[257:262] == b"ustar"


def is_archive(path: Path) -> bool:
    """Return whether a path is a folder, a tar or a zip of files."""
    return path.is_dir() or is_tar(head(path)) or zips.is_zip(path)


def members(path: Path) -> Iterator[Member]:
    """Yield the files of a folder (by name), tar or zip (as they lie) without hidden ones, or the file itself.

    Raises:
        MalformedInput: the archive breaks off, or a file is larger than any text.
    """
    with _complete(path):
        for number, (name, stream) in enumerate(_opened(path), 1):
            yield Member(name, _whole(stream, f"{path}: {told(name, number)}"))


def heads(path: Path, size_bytes: int) -> Iterator[Member]:
    """Yield the files of a folder, tar or zip with their first bytes only.

    Raises:
        MalformedInput: the archive breaks off.
    """
    with _complete(path):
        for name, stream in _opened(path):
            yield Member(name, stream.read(size_bytes))


def files(path: Path) -> Iterator[File]:
    """Yield the files of a folder, tar or zip as files on the disk; each copy is gone at the next step.

    Raises:
        MalformedInput: the archive breaks off.
    """
    if path.is_dir():
        for place in walk(path):
            yield File(_inside(place, path), place)
        return
    with _complete(path), tempfile.TemporaryDirectory(prefix="psyllm-") as folder:
        for name, stream in _opened(path):
            copy = Path(folder) / "member"
            with copy.open("wb") as file:
                while block := stream.read(1 << 20):
                    file.write(block)
            yield File(name, copy)


def _opened(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and stream of each file; a stream is good until the next step."""
    if path.is_dir():
        for place in walk(path):
            with place.open("rb") as file:
                yield _inside(place, path), file
    elif is_tar(head(path)):
        yield from _opened_tar(path)
    elif zips.is_zip(path):
        yield from ((name, file) for name, file in zips.opened(path) if not _is_hidden(name))
    else:
        with unpacked(path) as stream:
            yield path.name, stream


def walk(folder: Path) -> list[Path]:
    """Return the files below a folder by name, those that links lead to among them; none is there twice.

    A file that lies in the folder is never named by a link. Links to a folder above are not followed. A
    folder that may not be read is an error, never passed over.

    Raises:
        MalformedInput: a link leads to no file or folder, or a pipe or device lies among the files.
    """
    found: dict[str, Path] = {}
    seen = set(map(str, Path(os.path.realpath(folder)).parents))
    links = deque([folder])
    while links:
        link = links.popleft()
        real = os.path.realpath(link)
        if Path(real).is_dir():
            links += _walk(link, folder, found, seen)
        elif Path(real).is_file():
            found.setdefault(real, link)
        else:
            name = _inside(link, folder)
            which = "a link in it" if may_name_somebody(name) else f"the link {name}"
            step = f"see: find -L {folder} -type l; take it out, or fetch what it leads to; then import again"
            message = f"{folder}: {which} leads to no file"
            raise MalformedInput(message, step)
    return sorted(found.values())


def _walk(start: Path, folder: Path, found: dict[str, Path], seen: set[str]) -> list[Path]:
    """Add the files below `start` to `found`, the folders to `seen`, and return the links."""

    def refuse(error: OSError) -> None:
        raise error

    links: list[Path] = []
    for place, folders, names in os.walk(start, onerror=refuse):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for path in (Path(place, name) for name in (*names, *folders)):
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode) or _is_hidden(_inside(path, folder)):
                continue
            if stat.S_ISLNK(mode):
                links.append(path)
            elif stat.S_ISREG(mode):
                found.setdefault(str(Path(real, path.name)), path)
            else:
                message = f"{folder} holds a pipe, socket or device among its files"
                raise MalformedInput(
                    message, f"see: find {folder} -not -type f -not -type d -not -type l; take it out"
                )
    return sorted(links)


def _inside(path: Path, folder: Path) -> str:
    return readable(path.relative_to(folder).as_posix())


def _opened_tar(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    linked: set[str] = set()
    with unpacked(path) as stream, tars.opened(stream, "r|") as tar:
        for entry in tar:
            name = entry.name.removeprefix("./")
            if _is_hidden(name):
                continue
            if tars.is_link(entry):
                linked.add(tars.target_of(entry))
            file = tar.extractfile(entry) if entry.isreg() else None
            if file is not None:
                yield readable(name), file
    if linked:
        _need_files_behind(linked, path)


def _need_files_behind(linked: set[str], path: Path) -> None:
    """Refuse a tar with a link that leads to none of its files: what it means would be lost in silence."""
    with unpacked(path) as stream, tars.opened(stream, "r|") as tar:
        there = (entry for entry in tar if not _is_hidden(entry.name.removeprefix("./")))
        tars.need_files_behind(linked, there, path)


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """Turn what tells of a broken archive into MalformedInput."""
    try:
        yield
    except tarfile.ReadError as error:
        raise tars.refused(path, error) from None
    except Exception as error:
        if not zips.tells_of_damage(error):
            raise
        raise zips.refused(path) from None


def _whole(file: IO[bytes], place: str) -> bytes:
    raw = file.read(MOST_MEMBER_BYTES + 1)
    if len(raw) > MOST_MEMBER_BYTES:
        message = f"{place} is larger than {MOST_MEMBER_BYTES >> 20} MiB, too large for one text"
        raise MalformedInput(message, "take it out, or import it as a file of its own")
    return raw


def _is_hidden(name: str) -> bool:
    """Return whether a file is one of the system's: `.git`, `._name`, `__MACOSX`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def content_hash(path: Path) -> str:
    """Return the hash of a file's bytes, or of a folder's names and bytes.

    Raises:
        MissingFile: there is no such file or folder.
    """
    need(path)
    digest = hashlib.sha256()
    if path.is_dir():
        for name, stream in _opened(path):
            size = os.fstat(stream.fileno()).st_size
            digest.update(f"{name}\0{size}\0".encode())
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    size = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            report("read", file.tell(), size)
    return digest.hexdigest()
