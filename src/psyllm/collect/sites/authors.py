"""Who wrote something, without saying who: keyed hashes of a site's author ids.

Comes in: a site's name and its id (or name) of an author. Goes out: 32 hex
digits that are the same for the same person on the same site and say nothing
without the key, so that one person's texts can be kept on one side of a split
and forgotten together. The key is 32 random bytes in a file of its own, made at
first need, outside the data folder: who is given the data is not given the key.
It hides the keys of records, too, that may name somebody (`source.py`). Losing it
means that later imports give other hashes and ids than earlier ones.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Self

from psyllm.core.errors import UnusablePath

KEY_FILE_VARIABLE = "PSYLLM_AUTHOR_KEY_FILE"
KEY_BYTES = 32
# What sites show instead of a name: one hash for all of them would make one person of thousands.
NOBODY = frozenset({"", "匿名用户", "匿名", "知乎用户", "已注销", "账号已注销", "[已重置]"})
HASH_HEX_DIGITS = 32  # 128 bits: no two of 10^9 authors meet by chance
KEY_HEX_DIGITS = 16  # 64 bits: within one source; two that meet get a number


class Authors:
    """A keyed hash of authors; the key never shows."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Authors(key hidden)"

    def hash(self, site: str, author: str) -> str:
        """Return the author's keyed hash, or an empty string when the page names none."""
        if author.strip() in NOBODY:
            return ""
        said = f"{site}\x1f{author.strip()}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()[:HASH_HEX_DIGITS]

    def key_of(self, raw: bytes) -> str:
        """Return a keyed hash of any bytes, as a record's own key; never that of an author."""
        return hmac.new(self._key, b"\x1f" + raw, hashlib.sha256).hexdigest()[:KEY_HEX_DIGITS]

    @classmethod
    def from_key_file(cls, data: Path) -> Self:
        """Return the hash keyed by `PSYLLM_AUTHOR_KEY_FILE`, else by `~/.psyllm/author.key`.

        Raises:
            UnusablePath: the key lies in the data folder, can be read by others, is too short or can't be made.
        """
        place = key_place()
        _refuse_inside(place, data)
        try:
            return cls(_key_of(place))
        except OSError as error:
            message = f"the authors' key {place} can't be used: {error.strerror or error}"
            raise UnusablePath(
                message, f"make it readable for you alone, or set {KEY_FILE_VARIABLE}"
            ) from None


def key_place() -> Path:
    """Return where the key lies or will be made."""
    named = os.environ.get(KEY_FILE_VARIABLE, "")
    return Path(named).expanduser() if named else Path.home() / ".psyllm" / "author.key"


def _refuse_inside(place: Path, data: Path) -> None:
    if place.resolve().is_relative_to(data.resolve()):
        message = f"the authors' key {place} lies inside the data folder {data}"
        raise UnusablePath(message, f"move it out, then set {KEY_FILE_VARIABLE} to its new place")


def _key_of(place: Path) -> bytes:
    if not place.exists():
        _make(place)
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        message = f"the authors' key {place} can be read by others (mode {mode:04o})"
        raise UnusablePath(message, f"run: chmod 600 {place}")
    key = place.read_bytes()
    if len(key) < KEY_BYTES:
        message = f"the authors' key {place} holds {len(key)} bytes; {KEY_BYTES} are needed"
        raise UnusablePath(message, "restore it from your copy, or remove it and a new one is made")
    return key


def _make(place: Path) -> None:
    """Make the key whole or not at all; of two processes at once the first one's key stays."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = place.with_name(f"{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        if not place.exists():
            try:
                os.link(beside, place)
            except FileExistsError:
                return
    finally:
        beside.unlink()
