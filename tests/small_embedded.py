"""A tiny model in the place of the one that ships in the package: made by training, shipped as `runs/embedded.sh` does."""

import json
from pathlib import Path

from psyllm.core import embedded
from psyllm.core.base_models import MARKS_FILE, base_hash
from psyllm.core.records import Record, Turn, write_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Manifest, Stage, StageRun, read_manifest, stage_folder, writing
from psyllm.corpus.fingerprints import OpeningPrints, write_fingerprints, write_sample

PASSING = {
    "bits_percent_of_5gram": 75.0,
    "whole_answers_percent": 85.0,
    "bits_per_char": 2.9,
    "guard_passed_percent": 90.0,
    "distinct_2_ratio": 0.95,
    "on_topic_percent": 80.0,
    "on_topic_over_shuffled_points": 60.0,
    "dialogues": 600.0,
    "questions": 200.0,
    "own_judged": 50.0,
    "shuffled_judged": 50.0,
    **ServeSettings().decoding.model_dump(),
}


def talk(record_id: str, said: str, answered: str) -> Record:
    turns = (Turn(role="visitor", text=said), Turn(role="counsellor", text=answered))
    return Record(
        id=record_id, kind="dialogue", group=record_id, source="smilechat", licence="CC0-1.0", turns=turns
    )


def read_corpus(data: Path, train: list[Record], dev: list[Record] = ()) -> Manifest:
    """Make the corpus that the small model is said to have read, with fingerprints."""
    run = StageRun(data, Stage.CORPUS, "corpus-read", "mark", (), {})
    with writing(run):
        prints = OpeningPrints(14)
        for record in train:
            prints.add(record)
        write_records(train, run.folder, prefix="train")
        write_records(dev, run.folder, prefix="dev")
        write_fingerprints(run.folder, sorted(run.folder.glob("train-*.parquet")), prints, 14)
        return run.finish(counts={"train": len(train)})


def ship_fingerprints(data: Path, folder: Path, sample_bits: int = 0) -> None:
    corpus = stage_folder(data, Stage.CORPUS) / "corpus-read"
    write_sample(corpus, read_manifest(corpus), folder, sample_bits)


def seat(monkeypatch, folder: Path) -> None:
    """Let the package's model be this folder."""
    monkeypatch.setattr(embedded, "FOLDER", folder)


def write_marks(folder: Path, **changes: float) -> None:
    said = {
        "base_sha256": base_hash(folder),
        "measured": {**PASSING, **changes},
        "asked": {name: bounds[:2] for name, bounds in embedded.ASKED.items()},
    }
    (folder / MARKS_FILE).write_text(json.dumps(said), "utf-8")
