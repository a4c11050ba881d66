"""A corpus from which something was forgotten: what was made of its texts is made again.

The data folder comes in; pages with samples of dropped texts, and fingerprints,
that `core/forgetting.py` has removed are written anew from the records that are
left. It also puts the manifests right afterwards.
"""

from __future__ import annotations

import json
from pathlib import Path

from psyllm.core.records import read_records
from psyllm.core.stages import Stage, complete_runs, stage_folder, write_text_atomically
from psyllm.corpus.card_html import as_html
from psyllm.corpus.drop_samples import Sample, drop_samples
from psyllm.corpus.fingerprints import FOLDER, OpeningPrints, write_fingerprints

SAMPLES = "samples.json"
PAGE = "card.html"


def write_page(folder: Path, samples: dict[str, list[Sample]]) -> None:
    """Write the samples and the page of a run that has its card."""
    card = json.loads((folder / "card.json").read_text("utf-8"))
    told = {reason: [one._asdict() for one in some] for reason, some in samples.items()}
    write_text_atomically(folder / SAMPLES, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    write_text_atomically(folder / PAGE, as_html(card, samples, folder.name))


def refresh(data: Path) -> None:
    """Make again what is missing of every corpus: the page with its samples, and the fingerprints."""
    for manifest in complete_runs(data, Stage.CORPUS):
        folder = stage_folder(data, Stage.CORPUS) / manifest.run
        if not (folder / PAGE).exists() and (folder / "card.json").exists():
            cleaned = [parent.run for parent in manifest.parents if parent.stage == Stage.CLEANED.value]
            runs = [stage_folder(data, Stage.CLEANED) / run for run in cleaned]
            write_page(folder, drop_samples(runs[0]) if runs else {})
        if not (folder / FOLDER).is_dir():
            _write_fingerprints(folder, int(manifest.settings["opening_chars"]))


def _write_fingerprints(folder: Path, opening_chars: int) -> None:
    prints = OpeningPrints(opening_chars)
    for record in read_records(folder, prefix="train"):
        prints.add(record)
    write_fingerprints(folder, sorted(folder.glob("train-*.parquet")), prints, opening_chars)
