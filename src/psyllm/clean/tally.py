"""What cleaning did, counted, so that the parts of many shards add up to one.

Steps and writers count into a `Tally`; tallies of shards are kept as JSON and
summed. It holds names and numbers only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from psyllm.core.stages import write_text_atomically


@dataclass
class Tally:
    """Records by source (read, kept), by reason (drops), by step (mended), by kind of mark and level.

    `dropped_flags` counts flags of dropped records as reason/flag, for danger must not go uncounted. `other` counts single facts by name, for example answers left out.
    """

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    dropped_flags: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    def add(self, more: Tally) -> None:
        """Add another tally to this one."""
        for one in fields(self):
            getattr(self, one.name).update(getattr(more, one.name))

    def save(self, path: Path) -> None:
        """Write the tally as JSON."""
        write_text_atomically(path, json.dumps({one.name: getattr(self, one.name) for one in fields(self)}))

    @classmethod
    def load(cls, path: Path) -> Tally:
        """Return a saved tally."""
        saved: Mapping[str, Mapping[str, int]] = json.loads(path.read_text("utf-8"))
        return cls(**{name: Counter(counts) for name, counts in saved.items()})
