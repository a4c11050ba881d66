"""A full disk is told as one, whatever library was writing.

In: a block that writes. Out: what it raises; a full disk as the OSError that
Python itself raises then, which stages and exports know. Libraries written in
Rust (safetensors, tokenizers) raise errors of their own, with the system's
number in the text; numpy an OSError without one. Whether something will fit is not asked here.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from psyllm.core.stages import NO_SPACE

SYSTEM_NUMBER = re.compile(r"\(os error (\d+)\)")  # as Rust's std::io::Error writes it

CUT_SHORT = re.compile(r"\d+ requested and \d+ written")  # numpy's tofile, which gives no number


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Turn a library's own error about a full disk inside the block into Python's.

    Raises:
        OSError: there was no space; its number is one of `NO_SPACE`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None and CUT_SHORT.fullmatch(str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
    except Exception as error:
        said = SYSTEM_NUMBER.search(str(error))
        number = int(said[1]) if said else 0
        if number not in NO_SPACE:
            raise
        raise OSError(number, os.strerror(number)) from error
