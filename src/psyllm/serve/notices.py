"""The service's fixed texts: read once from the table beside this module and from safety's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.safety.notices import Notice

TABLE = Path(__file__).parent / "notices.toml"
InEach = Mapping[Language, Private]


class Notices(NamedTuple):
    """When no answer fits (without and with a model to ask), when one broke, when one was withdrawn."""

    nothing_near: InEach
    nothing_near_but_view: InEach
    failed: InEach
    help: InEach

    @classmethod
    def load(cls) -> Notices:
        """Read the tables."""
        texts = tomllib.loads(TABLE.read_text("utf-8"))
        near, view = texts["nothing_near"], texts["offer_view"]
        return cls(
            nothing_near={one: Private(near[one].strip()) for one in Language},
            nothing_near_but_view={one: Private(f"{near[one]}{view[one]}".strip()) for one in Language},
            failed={one: Private(texts["failed"][one].strip()) for one in Language},
            help={one: Private(Notice.HELP.words(one)) for one in Language},
        )
