"""The sample of cleaned records that people review, as a file that several rooms read.

`clean` draws it, `serve` shows its items, `feedback` counts with its strata. It
names rows (run, file, record, the hash of the words) and holds none of their
words, so that forgetting a text needs to know nothing of it. Who decided what
lies in the casebook; how rows are drawn is `clean/draw.py`'s.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from psyllm.core.errors import MalformedInput
from psyllm.core.records import Frozen
from psyllm.core.stages import write_text_atomically

# Flags that cleaning gives where the visitor is under 18, or writes about a child.
MINOR_FLAGS = frozenset({"minor", "about_minor"})
Side = Literal["kept", "dropped"]
# A name below a run's folder, never a way out of it.
PLAIN_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"


class Stratum(Frozen):
    """A part of a cleaned run from which rows are drawn; `population` is how many rows it has to draw from.

    `level` is the label of the level of danger, empty for none, and for dropped rows below risk;
    `reason` is why the rows were dropped.
    """

    side: Side
    source: str = ""
    kind: str = ""
    level: str = ""
    minor: bool = False
    reason: str = ""
    population: int = Field(0, ge=0)

    @property
    def key(self) -> str:
        """The stratum's name, by which items belong to it."""
        parts = (self.side, self.source, self.kind, self.level, "minor" if self.minor else "", self.reason)
        return "/".join(part for part in parts if part)


class SampleItem(Frozen):
    """One drawn row: where it was when it was drawn, whose it is, and the hash of its words."""

    run: str = Field(pattern=PLAIN_NAME)
    file: str = Field(pattern=PLAIN_NAME)
    row: int = Field(ge=0)
    id: str
    words: str
    stratum: str
    risk: int = Field(0, ge=0)

    @property
    def item(self) -> str:
        """The name under which decisions on these words are kept."""
        return item_name(self.id, self.words)


class Sample(Frozen):
    """All items, and the strata of the run from which they were drawn."""

    run: str
    seed: int
    strata: tuple[Stratum, ...]
    items: tuple[SampleItem, ...]

    def of_its_run(self) -> tuple[SampleItem, ...]:
        """Return the items drawn from the run; others were decided on in an earlier one and say nothing of it."""
        return tuple(one for one in self.items if one.run == self.run)

    def stratum_of(self, item: SampleItem) -> Stratum | None:
        """Return the stratum of an item; one drawn from an earlier run may have none any more."""
        return next((stratum for stratum in self.strata if stratum.key == item.stratum), None)


def item_name(record_id: str, words: str) -> str:
    """Return the hash that names these words of this record: no key of a source ends up in an address."""
    return hashlib.sha256(f"{record_id}\x1f{words}".encode()).hexdigest()


def sample_path(data: Path) -> Path:
    """Return where a data folder keeps the sample."""
    return data / "reviews" / "cleaned" / "sample.json"


def read_sample(data: Path) -> Sample | None:
    """Return the sample, None while none was drawn.

    Raises:
        MalformedInput: the file is no sample.
    """
    path = sample_path(data)
    try:
        return Sample.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        message = f"{path}: this is no sample of records to review"
        raise MalformedInput(message, "put the file back, or draw again: psyllm clean review") from None


def write_sample(data: Path, sample: Sample) -> Path:
    """Replace the sample and return its path."""
    path = sample_path(data)
    write_text_atomically(path, sample.model_dump_json(indent=1) + "\n")
    return path
