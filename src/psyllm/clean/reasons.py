"""What each reason for leaving a record out means, in one sentence for people.

The table `reasons.toml` comes in, a mapping goes out; the data card and the
review page show it. Which reason a record gets is decided by the steps.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path

TABLE = Path(__file__).parent / "reasons.toml"


@functools.cache
def reasons() -> Mapping[str, str]:
    """Return a sentence for each reason."""
    return tomllib.loads(TABLE.read_text("utf-8"))
