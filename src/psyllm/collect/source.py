"""What every importer needs to know of the source, and where it counts what it left out.

A `Source` gives each record its name, licence and permissions and an id that is
unique within the source, and counts by reason what was not taken in
(a file that is no text, spans that do not fit). It reads nothing itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Source:
    """Name, licence and permissions of what is imported; `left_out` counts by reason."""

    name: str
    licence: str
    may_train: bool = True
    may_show: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    _keys: Counter[str] = field(default_factory=Counter)

    def provenance(self, key: str) -> dict[str, Any]:
        """Return the fields that tell where a record comes from; records of one key are one group."""
        group = f"{self.name}:{key}"
        self._keys[key] += 1
        again = self._keys[key]
        return {
            "id": group if again == 1 else f"{group}#{again}",
            "group": group,
            "source": self.name,
            "licence": self.licence,
            "may_train": self.may_train,
            "may_show": self.may_show,
        }


def key_of(raw: bytes) -> str:
    """Return a key for what brings none of its own: a hash of its raw bytes."""
    return hashlib.sha256(raw).hexdigest()[:16]
