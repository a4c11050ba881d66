"""Who may write to visitors: the model in use, else, where nobody ever signed for the service, the one in the package.

In: settings and a data folder. Out: a `Fitness`. The package's model stands in
only on trial, only where the settings ask for a fit model, with the very settings that it was measured with and
inside the same bounds as any other: `bench/embedded.py` measured it on dialogues that it was not trained on, and
its answers were read (`core/embedded.py`). A signature is for the model in use, so it never
covers this one; a signature that has lost its validity does not either, or a change that voids it would
let more write than before. Nothing here loads a model.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from psyllm.core import embedded
from psyllm.core.embedded import Bounds, missed_marks
from psyllm.core.errors import BadCheckpoint
from psyllm.core.permits import kept_from_visitors, permit_of_base
from psyllm.core.settings import ServeSettings
from psyllm.lm.model_card import read_card
from psyllm.safety.release import report_path, was_signed
from psyllm.serve.fitness import Fitness, fit_model


def writer(settings: ServeSettings, data: Path, today: dt.date | None = None) -> Fitness:
    """Return the model that may write to visitors under these settings; `today` is the day in UTC if not said."""
    found = fit_model(settings, data, today)
    if found.folder is not None or settings.model != "fit" or was_signed(report_path(data)):
        return found
    if not _may_stand_in(settings, today or dt.datetime.now(dt.UTC).date()):
        return found
    beside = "on trial the small model in the package writes other views beside them (psyllm models embedded)"
    return Fitness(embedded.folder(), f"{beside}, since {found.reason}")


def _may_stand_in(settings: ServeSettings, today: dt.date) -> bool:
    marks = embedded.read_marks()
    if marks is None or not embedded.standing().passed:
        return False
    try:
        card = read_card(embedded.folder())
    except BadCheckpoint:  # a damaged package must not keep the service from opening
        return False
    if card is None:  # nobody can tell what it may be used for
        return False
    permit = permit_of_base(card.lineage, embedded.NAME)
    if permit.expires or kept_from_visitors(permit, today):
        return False
    asked = {
        **{name: Bounds(value, value, name) for name, value in settings.decoding.model_dump().items()},
        "bits_per_char": Bounds(0, settings.most_bits_per_char, "bits per character"),
        "guard_passed_percent": Bounds(settings.least_guard_passed_percent, 100, "the guard passes"),
    }
    return not missed_marks(marks.measured, asked)
