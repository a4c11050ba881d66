"""Names of files and keys: whether they may name somebody, and how they are told.

A name comes in as a folder or an archive has it, or a key as data bring it. Goes
out: whether it may name a person (王小明.txt), the words that an error says for
it, and the name as text where the system holds it in bytes of another charset.
Nothing here hashes a name; `source.py` does.
"""

from __future__ import annotations

import functools
import os
import re

from psyllm.text.han import han_count
from psyllm.text.pii import find_pii

# Keys that point at nobody, so that most need no look: a short number, a hash (of digits alone it is looked at).
_NUMBER_OR_HASH = re.compile(r"\d{1,9}|(?=\d*[a-f])[0-9a-f]{16}")


@functools.lru_cache(1024)  # every record of a file has that file's name before its key
def may_name_somebody(name: str) -> bool:
    """Return whether a name or key may say who somebody is.

    Names alone are found too seldom, so that anything Chinese counts as one.
    """
    return not _NUMBER_OR_HASH.fullmatch(name) and bool(han_count(name) or find_pii(name))


def told(name: str, number: int) -> str:
    """Return what an error says for a file of a folder or archive: its name, or its number among them."""
    return f"file {number:,}" if may_name_somebody(name) else name


def readable(name: str) -> str:
    """Return a file's name as text; bytes that are no UTF-8 are read as GB18030, as Chinese systems write them."""
    if name.isprintable() or not any("\udc80" <= character <= "\udcff" for character in name):
        return name
    raw = os.fsencode(name)
    try:
        return raw.decode("gb18030")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace")
