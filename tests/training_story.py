"""Folders of trainings as training leaves them: complete, running, interrupted, damaged."""

import json
import math
from pathlib import Path
from typing import Any

from psyllm.core.run_events import DESCRIPTION, METRICS, NOW
from psyllm.core.stages import EVENTS, Manifest, Parent, Stage, StageRun, stage_folder, writing
from psyllm.core.train_settings import TrainSettings

LINES = (
    {"stage": "adapt", "step": 10, "loss": 6.0, "grad_norm": 1.5, "learning_rate": 0.001},
    {"stage": "adapt", "step": 20, "loss": 5.0, "grad_norm": 1.0, "learning_rate": 0.001},
    {"stage": "adapt", "step": 20, "dev_loss": 5.5},
    {"stage": "answer", "step": 10, "loss": 4.0, "grad_norm": 1.0, "learning_rate": 0.0005},
    {"stage": "answer", "step": 10, "dev_loss": 4.4},
)
PERMIT = {"uses": "research", "share_alike": True, "expires": "2099-06-30", "sources": []}


def settings(**changes: Any) -> dict[str, Any]:
    return TrainSettings(**changes).model_dump(mode="json")


def put_corpus(data: Path) -> Parent:
    with writing(StageRun(data, Stage.CORPUS, "corpus-1", "mark", (), {})) as run:
        return run.finish(counts={"train": 1}).as_parent()


def write_lines(folder: Path, lines=LINES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))


def falling_lines(last: int, floor: float) -> list[dict[str, Any]]:
    """Losses that fall as real ones do, a little rough, with a dev loss at every 50th step."""
    found: list[dict[str, Any]] = []
    for step in range(10, last + 1, 10):
        loss = floor + 4 * math.exp(-step / 90) + 0.06 * math.sin(step)
        found.append(
            {"stage": "adapt", "step": step, "loss": loss, "learning_rate": 1.5e-3, "grad_norm": 1.0}
        )
        if step % 50 == 0:
            found.append({"stage": "adapt", "step": step, "dev_loss": loss + 0.15})
    return found


def put_story(data: Path) -> Path:
    """A complete training with its report, and another that goes on; return that one's folder."""
    corpus = put_corpus(data)
    model = put_complete(data, "model-3da3bbb2641a", corpus, adapt={"steps": 400})
    write_lines(stage_folder(data, Stage.MODELS) / model.run, falling_lines(400, 4.1))
    put_report(data, model, 6.6)
    running = put_unfinished(data, "model-ed67782de41d", corpus, adapt={"steps": 400, "batch_rows": 8})
    write_lines(running, falling_lines(250, 3.8))
    return running


def put_complete(
    data: Path, name: str, *parents: Parent, lineage: dict[str, Any] | None = None, **changes: Any
) -> Manifest:
    adapt = {"steps": 20, "planned_steps": 40, "best_step": 20, "dev_loss": 5.5}
    stages = {"adapt": {**adapt, "tokens_per_s": 900, "tokens_seen": 30_720}}
    with writing(StageRun(data, Stage.MODELS, name, "mark", parents, settings(**changes))) as run:
        write_lines(run.folder)
        (run.folder / "model").mkdir()
        (run.folder / "model" / "tokenizer.json").write_text(name)
        details = {
            "lineage": lineage or {"permit": PERMIT, "base_lineage": None},
            "stages": stages,
            "weights": 2_557_632,
            "cores": 2,
            "precision": "fp32",
        }
        return run.finish(counts={}, details=details)


def put_unfinished(data: Path, name: str, *parents: Parent, **changes: Any) -> Path:
    folder = stage_folder(data, Stage.MODELS) / name
    write_lines(folder)
    (folder / EVENTS).mkdir()
    said = {
        "run": name,
        "parents": [parent.model_dump() for parent in parents],
        "settings": settings(**changes),
        "versions": {"torch": "2.13.0"},
        "machine": {"cores": 2, "memory_mb": 24_000},
        "lineage": {"permit": PERMIT, "base_lineage": None},
        "began_at": "2026-11-25T08:00:00+00:00",
    }
    (folder / EVENTS / DESCRIPTION).write_text(json.dumps(said))
    now = {
        "task": "training: answer",
        "stage": "answer",
        "done": 12,
        "total": 100,
        "doing": "training",
        "figures": {"tokens_per_s": 800.0, "processor_share": 0.4, "process_bytes": 5e8, "left_s": 90.0},
        "at": "2026-11-25T08:01:00+00:00",
    }
    (folder / EVENTS / NOW).write_text(json.dumps(now))
    return folder


def put_report(data: Path, model: Manifest, bits: float) -> Manifest:
    name = f"report-{bits}"
    with writing(StageRun(data, Stage.REPORTS, name, "mark", (model.as_parent(),), {})) as run:
        figures = {
            "bits_per_char": {"value": bits, "low": bits - 0.1, "high": bits + 0.1},
            "guard_passed_percent": {"value": None, "low": None, "high": None},
        }
        (run.folder / "metrics.json").write_text(json.dumps({"split": "test", "figures": {"model": figures}}))
        return run.finish(counts={})
