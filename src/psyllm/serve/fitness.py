"""May the model in use write to visitors at all? Who may where it doesn't is `stand_in.py`'s.

The settings and a data folder come in; the model's folder or the reason why it
stays silent comes out. What it was trained on must permit it, whatever
`serve.model` says: an agreement that ended, or that is for research, silences it.
A model is fit when its own report says at most `serve.most_bits_per_char` bits
per character (a character 5-gram needs 3.95 on counselling dialogues) and that
the guard passed at least `serve.least_guard_passed_percent` of its answers: on
uniform text few bits alone prove little. Those answers were drawn with the very settings
that the service draws with. A model made from the one in the package is fit only if
those very weights are still there and have passed what is asked of them
(`core/descent.py`), and if its report could leave out what they have read. The guard
still looks at every sentence of a fit model. That its terms end while it serves is seen
in `reply.py`.
"""

from __future__ import annotations

import datetime as dt
import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.descent import made_from_embedded, not_vouched
from psyllm.core.errors import PsyError
from psyllm.core.permits import kept_from_visitors, permit_of_model
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Manifest, Stage, current_run, read_manifest

METRICS = "metrics.json"
NOT_CHECKED = "bases_not_checked_for_leaks"
_SAID_OF_USES = {
    "unknown": "; nobody said what all of its sources may be used for: read their own terms",
    "non_commercial": "; it may be used for no commercial service",
}
# its dataset is CC0, but rewrites questions of another one that is for research
_NOT_CLEARED = "; before a public release a person must clear the licences of what its base has read (psyllm models embedded)"


class Fitness(NamedTuple):
    """The folder of a model that may write, or None and why not; `last_day` is that of its terms, None for no end."""

    folder: Path | None
    reason: str
    last_day: dt.date | None = None


class _Measured(NamedTuple):
    """Of a report: its figures, how its answers were drawn, and the bases that may have read the test split for all anybody knows."""

    bits_per_char: float
    guard_passed_percent: float
    decoding: dict[str, Any]
    not_checked: list[str]


def fit_model(settings: ServeSettings, data: Path, today: dt.date | None = None) -> Fitness:
    """Return the model that may write to visitors under these settings; `today` is the day in UTC if not said."""
    run = current_run(data, Stage.MODELS)
    if settings.model == "none":
        return Fitness(None, "generated answers are switched off (serve.model=none)")
    model = None if run is None else read_manifest(run)
    if run is None or model is None:
        return Fitness(None, "there is no model yet; run: psyllm train")
    permit = permit_of_model(model)
    kept = kept_from_visitors(permit, today or dt.datetime.now(dt.UTC).date())
    if kept:
        here = shlex.quote(str(data))
        again = f"psyllm corpus --data {here}, then psyllm train --data {here}"
        said = f"the model in use {kept}, so visitors get bundled answers"
        return Fitness(None, f"{said}; for one without that source and base, run: {again}")
    found = _fit(settings, data, run)
    if found.folder is None:
        return found
    last_day = dt.date.fromisoformat(permit.expires) if permit.expires else None
    until = f"; its terms end on {permit.expires}" if permit.expires else ""
    uses = _NOT_CLEARED if _may_be_from_embedded(model) else _SAID_OF_USES.get(permit.uses, "")
    return Fitness(found.folder, f"{found.reason}{uses}{until}", last_day)


def _may_be_from_embedded(model: Manifest) -> bool:
    try:
        return made_from_embedded(model)
    except (ValueError, TypeError):  # nobody can tell where it comes from
        return True


def _fit(settings: ServeSettings, data: Path, run: Path) -> Fitness:
    if settings.model == "any":
        return Fitness(run / "model", "any model may write (serve.model=any)")
    model = read_manifest(run)
    silent = "" if model is None else not_vouched(model)
    if silent:
        return Fitness(None, f"{silent}; visitors get bundled answers")
    measured = _measured(data, run)
    if measured is None:
        return Fitness(None, "the model in use has no report on its test split; run: psyllm evaluate")
    bits, passed = measured.bits_per_char, measured.guard_passed_percent
    found = f"the model in use needs {bits:.2f} bits per character and the guard passes {passed:.0f} %"
    lacks = _lacks(measured, settings, from_embedded=model is not None and _may_be_from_embedded(model))
    return (
        Fitness(None, f"{found}; {lacks}")
        if lacks
        else Fitness(run / "model", f"{found}; it is fit to write")
    )


def _lacks(measured: _Measured, settings: ServeSettings, *, from_embedded: bool) -> str:
    """Return why a measured model is not fit, empty where it is."""
    if measured.not_checked and from_embedded:
        bases = ", ".join(measured.not_checked)
        return f"it was made from the embedded model, and its report could not leave out what {bases} has read, so visitors get bundled answers"
    if measured.decoding != settings.decoding.model_dump(mode="json"):
        return "its answers were drawn with other settings (evaluate.decoding) than serve.decoding, so visitors get bundled answers; for a report with the same ones, run: psyllm evaluate"
    bits, passed = settings.most_bits_per_char, settings.least_guard_passed_percent
    # asked this way, a figure that is no number does not pass either
    if not (0 <= measured.bits_per_char <= bits and passed <= measured.guard_passed_percent <= 100):
        return f"at most {bits:.2f} and at least {passed:.0f} % are fit, so visitors get bundled answers (docs/safety.md)"
    return ""


def _measured(data: Path, model: Path) -> _Measured | None:
    """Return what the report on this very model says, None without one that can be read."""
    try:
        report = current_run(data, Stage.REPORTS)
        made, measured = read_manifest(model), None if report is None else read_manifest(report)
        if report is None or made is None or measured is None or made.as_parent() not in measured.parents:
            return None
        metrics = json.loads((report / METRICS).read_text("utf-8"))
        if metrics["split"] != "test":
            return None  # the checkpoint was chosen on dev, which flatters it
        figures = metrics["figures"]["model"]
        bits, passed = (float(figures[name]["value"]) for name in ("bits_per_char", "guard_passed_percent"))
        unchecked = [str(name) for name in metrics.get(NOT_CHECKED, ())]
    except (PsyError, OSError, ValueError, KeyError, TypeError):  # a torn report stops no service
        return None
    return _Measured(bits, passed, measured.settings.get("decoding", {}), unchecked)
