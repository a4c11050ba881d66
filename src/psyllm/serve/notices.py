"""The service's fixed texts: read once from the table beside this module and from safety's."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from psyllm.core.private import Private
from psyllm.safety.notices import Notice

TABLE = Path(__file__).parent / "notices.toml"


class Notices(NamedTuple):
    """When no answer fits (without and with a model to ask), when one broke, when one was withdrawn."""

    nothing_near: Private
    nothing_near_but_view: Private
    failed: Private
    help: Private

    @classmethod
    def load(cls) -> Notices:
        """Read the tables."""
        texts = tomllib.loads(TABLE.read_text("utf-8"))
        return cls(
            nothing_near=Private(texts["nothing_near"].strip()),
            nothing_near_but_view=Private(f"{texts['nothing_near']}{texts['offer_view']}".strip()),
            failed=Private(texts["failed"].strip()),
            help=Private(Notice.HELP.text),
        )
