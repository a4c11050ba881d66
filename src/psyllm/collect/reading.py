"""Bytes of a file, a compressed file, a folder or a tar, as UTF-8 text.

Compression is told by the first bytes, never by the name, and undone while
reading, so that memory does not grow with the file. What breaks off or is not
UTF-8 is said with its place and the next command to type; no text of it is
ever named. Nothing here knows what the text means.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from psyllm.core.errors import MalformedInput, MissingFile, UnknownFormat, WrongEncoding
from psyllm.core.progress import report

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 1 << 16
MOST_MEMBER_BYTES = 1 << 26
FEWEST_CHARS_OF_UTF8 = 4
# First bytes of packings (their specifications) and the command that shows what is wrong with one.
_PACKINGS = {
    b"\x1f\x8b": ("gzip", "gzip -t"),
    b"\xfd7zXZ\x00": ("xz", "xz -t"),
    b"BZh": ("bzip2", "bzip2 -t"),
}
_FOREIGN = {
    b"\x28\xb5\x2f\xfd": ("a zstd file", "unpack it with: zstd -d"),
    b"PK\x03\x04": (
        "a zip or Office file",
        "unzip it, or save its table as JSON Lines in a known form; then import that",
    ),
    b"PAR1": ("a Parquet file", "write it as JSON Lines, then import"),
    b"%PDF": ("a PDF file", "write its text as Markdown, then import"),
}
_UNPACKING_ERRORS = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


class Member(NamedTuple):
    """One file of a folder or tar: its path inside and its bytes."""

    name: str
    raw: bytes


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a file; a broken packing becomes `MalformedInput` with the place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        first = self._file.read(8)
        self._file.seek(0)
        self._packing, self._check = next(
            (value for magic, value in _PACKINGS.items() if first.startswith(magic)), ("", "")
        )
        self._stream = _unpacking(self._file, self._packing)
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
            found = "breaks off" if isinstance(error, EOFError) else "is damaged"
            message = f"{self._path} {found}: its {self._packing} data can be read for {self._read_bytes:,} bytes only"
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


def _unpacking(file: io.BufferedReader, packing: str) -> io.BufferedIOBase:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=file)
    if packing == "xz":
        return lzma.LZMAFile(file)
    if packing == "bzip2":
        return bz2.BZ2File(file)
    return file


def unpacked(path: Path) -> io.BufferedReader:
    """Return the unpacked bytes of a file, read as they are asked for.

    Raises:
        MissingFile: there is no such file.
    """
    need(path)
    return io.BufferedReader(Unpacked(path), buffer_size=1 << 18)


def need(path: Path) -> None:
    """Raise MissingFile unless the path exists."""
    if not path.exists():
        message = f"there is no file or folder {path}"
        raise MissingFile(message, f"check the path: ls {path.parent}")


def head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked."""
    with unpacked(path) as stream:
        return stream.read(HEAD_BYTES)


def is_tar(first: bytes) -> bool:
    """Return whether a file that begins so is a tar."""
    return first[257:262] == b"ustar"


def members(path: Path) -> Iterator[Member]:
    """Yield the files of a folder (by name) or of a tar (as they lie) without hidden ones, or the file itself.

    Raises:
        MalformedInput: the tar breaks off, or a file is larger than any text.
    """
    if path.is_dir():
        return _folder_members(path)
    return _tar_members(path) if is_tar(head(path)) else _lone_member(path)


def _lone_member(path: Path) -> Iterator[Member]:
    with unpacked(path) as stream:
        yield Member(path.name, _whole(stream, path, path.name))


def _folder_members(folder: Path) -> Iterator[Member]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and not _is_hidden(name):
            with path.open("rb") as file:
                yield Member(name, _whole(file, folder, name))


def _tar_members(path: Path) -> Iterator[Member]:
    with unpacked(path) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for entry in tar:
                    name = entry.name.removeprefix("./")
                    file = tar.extractfile(entry) if entry.isreg() and not _is_hidden(name) else None
                    if file is not None:
                        yield Member(name, _whole(file, path, name))
        except tarfile.ReadError:
            message = f"{path} breaks off: the tar is not complete"
            raise MalformedInput(message, f"check it with: tar -tf {path}; then fetch it again") from None


def _whole(file: IO[bytes] | io.BufferedReader, path: Path, name: str) -> bytes:
    raw = file.read(MOST_MEMBER_BYTES + 1)
    if len(raw) > MOST_MEMBER_BYTES:
        message = f"{path}: {name} is larger than {MOST_MEMBER_BYTES >> 20} MiB, too large for one text"
        raise MalformedInput(message, "take it out, or import it as a file of its own")
    return raw


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def looks_binary(raw: bytes) -> bool:
    """Return whether these bytes are no text at all."""
    return b"\x00" in raw[:HEAD_BYTES] and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def decode(raw: bytes, path: Path, where: str = "") -> str:
    """Return UTF-8 bytes as text, without a byte order mark; `where` is a line or a file inside.

    Raises:
        WrongEncoding: they are not UTF-8; says which encoding fits.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong_encoding(raw, error.start, path, where) from None


def decode_head(raw: bytes, path: Path) -> str:
    """Return the text of a file's first bytes, which may end inside a character.

    Raises:
        UnknownFormat: they are no text.
        WrongEncoding: they are text in another encoding.
    """
    foreign = next((value for magic, value in _FOREIGN.items() if raw.startswith(magic)), None)
    if foreign is None and looks_binary(raw):
        foreign = ("not a text file", "give a file, folder or tar of text")
    if foreign is not None:
        message = f"{path} is {foreign[0]}"
        raise UnknownFormat(message, foreign[1])
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(raw, final=len(raw) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        raise wrong_encoding(raw, error.start, path, "") from None


def wrong_encoding(raw: bytes, offset: int, path: Path, where: str) -> WrongEncoding:
    """Return the error for bytes that are not UTF-8 from `offset` on."""
    found = None if _begins_as_utf8(raw[:offset]) else _encoding_of(raw)
    place = f"{path}, {where}" if where else f"{path}"
    if found is None:
        message = f"{place} is not UTF-8: byte {offset:,} of it is damaged"
        return WrongEncoding(message, "check where the file comes from, and fetch it again")
    message = f"{place} is {found}, not UTF-8"
    return WrongEncoding(message, f"convert the text: iconv -f {found} -t UTF-8 OLD > NEW; then import NEW")


def _begins_as_utf8(raw: bytes) -> bool:
    """Return whether several Chinese characters are there in UTF-8; in other encodings that does not happen."""
    return sum(character > "\u2e7f" for character in raw.decode("utf-8", "ignore")) >= FEWEST_CHARS_OF_UTF8


def _encoding_of(raw: bytes) -> str | None:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    for encoding, name in (("gbk", "GBK"), ("gb18030", "GB18030"), ("big5", "BIG5")):
        try:
            codecs.getincrementaldecoder(encoding)().decode(raw, final=len(raw) < HEAD_BYTES)
        except UnicodeDecodeError:
            continue
        return name
    return None


def content_hash(path: Path) -> str:
    """Return the hash of a file's bytes, or of a folder's names and bytes.

    Raises:
        MissingFile: there is no such file or folder.
    """
    need(path)
    digest = hashlib.sha256()
    if path.is_dir():
        for member in members(path):
            digest.update(f"{member.name}\0{len(member.raw)}\0".encode())
            digest.update(member.raw)
        return digest.hexdigest()
    size = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            report("read", file.tell(), size)
    return digest.hexdigest()
