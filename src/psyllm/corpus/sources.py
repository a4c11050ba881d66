"""Under which terms each source was collected, and which are first-hand, from the manifests of their imports.

The manifest of the cleaned run comes in; the terms of each source that its
parents still tell go out, and the names of those of which somebody said that
they were made from no other data. A parent that is gone or holds something else now
tells nothing, and nothing is guessed in its place. What terms mean together
is `terms.py`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from psyllm.core.settled_reviews import REVIEWS_RUN
from psyllm.core.stages import Manifest, Stage, read_manifest, stage_folder


class SourceTerms(NamedTuple):
    """What was agreed on for a source; an empty field was not said, `agreement` is a file's hash."""

    uses: str = ""
    expires: str = ""
    agreement: str = ""

    def is_over(self, today: dt.date) -> bool:
        """Return whether the last day has passed."""
        return bool(self.expires) and dt.date.fromisoformat(self.expires) < today


def source_terms(cleaned: Manifest, data: Path) -> dict[str, SourceTerms]:
    """Return the terms of every source whose import is still there, by the source's name."""
    found: dict[str, SourceTerms] = {}
    for manifest in _runs_of_sources(cleaned, data):
        said = manifest.details.get("terms") or {}
        found[manifest.run] = SourceTerms(*(str(said.get(name) or "") for name in SourceTerms._fields))
    return found


def own_work(cleaned: Manifest, data: Path) -> list[str]:
    """Return the sources that were made from no other data: as said at import, and what visitors of the service said."""
    return sorted(
        manifest.run
        for manifest in _runs_of_sources(cleaned, data)
        if manifest.stage == Stage.FEEDBACK.value
        or (manifest.details.get("terms") or {}).get("own_work") is True
    )


def _runs_of_sources(cleaned: Manifest, data: Path) -> Iterator[Manifest]:
    """Yield the parents that still hold what they held; each is named after its source."""
    for parent in cleaned.parents:
        manifest = read_manifest(stage_folder(data, Stage(parent.stage)) / parent.run)
        is_of_records = (parent.stage, parent.run) != (Stage.FEEDBACK.value, REVIEWS_RUN)
        if is_of_records and manifest is not None and manifest.content_hash == parent.content_hash:
            yield manifest


def over(terms: dict[str, SourceTerms], names: Iterable[str], today: dt.date) -> dict[str, str]:
    """Return the named sources whose agreement has ended, with its last day."""
    return {
        name: terms[name].expires
        for name in sorted(set(names))
        if name in terms and terms[name].is_over(today)
    }
