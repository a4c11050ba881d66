"""The folder that holds all stages: whether it is there at all.

A path comes in, an error with the next step goes out where there is nothing, so
that a mistyped `--data` is told instead of made. Folders of stages are `stages.py`'s.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from psyllm.core.errors import MissingFile


def need_data_folder(data: Path) -> None:
    """Do nothing if the data folder is there.

    Raises:
        MissingFile: it is not; none is made.
    """
    if data.is_dir():
        return
    here = shlex.quote(str(data))
    message = f"the data folder {data} does not exist"
    raise MissingFile(
        message,
        f"check the path after --data; a new folder begins with: psyllm collect starter --data {here}",
    )
