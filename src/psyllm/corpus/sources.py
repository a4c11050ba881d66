"""Under which terms each source was collected, read from the manifests of its import.

The manifest of the cleaned run comes in; the terms of each source that its
parents still tell go out. A parent that is gone or holds something else now
tells nothing, and nothing is guessed in its place. What terms mean together
is `terms.py`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
    for parent in cleaned.parents:
        manifest = read_manifest(stage_folder(data, Stage(parent.stage)) / parent.run)
        if manifest is None or manifest.content_hash != parent.content_hash:
            continue
        said = manifest.details.get("terms") or {}
        terms = SourceTerms(*(str(said.get(name) or "") for name in SourceTerms._fields))
        # A run of imports is named after its source; what comes back from the service is "feedback".
        found["feedback" if parent.stage == Stage.FEEDBACK.value else parent.run] = terms
    return found


def over(terms: dict[str, SourceTerms], names: Iterable[str], today: dt.date) -> dict[str, str]:
    """Return the named sources whose agreement has ended, with its last day."""
    return {
        name: terms[name].expires
        for name in sorted(set(names))
        if name in terms and terms[name].is_over(today)
    }
