"""May the model in use write to visitors at all?

The settings and a data folder come in; the model's folder or the reason why it
stays silent comes out. A model is fit when its own report says at most
`serve.most_bits_per_char` bits per character: a character 5-gram needs 3.95 on
counselling dialogues, and what knows less Chinese than that can't write a
sentence that somebody in need should read. The guard still looks at every
sentence of a fit model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, current_run, read_manifest

METRICS = "metrics.json"


class Fitness(NamedTuple):
    """The folder of a model that may write, or None and why not."""

    folder: Path | None
    reason: str


def fit_model(settings: ServeSettings, data: Path) -> Fitness:
    """Return the model that may write to visitors under these settings."""
    run = current_run(data, Stage.MODELS)
    if settings.model == "none":
        return Fitness(None, "generated answers are switched off (serve.model=none)")
    if run is None:
        return Fitness(None, "there is no model yet; run: psyllm train")
    if settings.model == "any":
        return Fitness(run / "model", "any model may write (serve.model=any)")
    bits = _bits_per_char(data, run)
    if bits is None:
        return Fitness(None, "the model in use has no report on its test split; run: psyllm evaluate")
    if bits > settings.most_bits_per_char:
        found = f"the model in use needs {bits:.2f} bits per character, at most {settings.most_bits_per_char:.2f} are fit"
        return Fitness(None, f"{found}; it stays silent, visitors get bundled answers (docs/safety.md)")
    return Fitness(run / "model", f"the model in use needs {bits:.2f} bits per character and is fit")


def _bits_per_char(data: Path, model: Path) -> float | None:
    """Return the figure of the report in use, None when it is not about this very model."""
    report = current_run(data, Stage.REPORTS)
    made, measured = read_manifest(model), None if report is None else read_manifest(report)
    if report is None or made is None or measured is None or made.as_parent() not in measured.parents:
        return None
    metrics = json.loads((report / METRICS).read_text("utf-8"))
    if metrics["split"] != "test":
        return None  # the checkpoint was chosen on dev, which flatters it
    value = metrics["figures"]["model"]["bits_per_char"]["value"]
    return None if value is None else float(value)
