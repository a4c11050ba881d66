"""Whether the service may face the public: the signed safety report, bound to what will serve."""

from __future__ import annotations

from pathlib import Path

from psyllm.core.stages import Stage, current_run, read_manifest
from psyllm.safety.release import Release, current_hashes, release_state, report_path


def release_of(data: Path) -> Release:
    """Return whether a valid signature stands for the model in use, the lexicon and the guard."""
    return release_state(report_path(data), current_hashes(model_hash(data)))


def model_hash(data: Path) -> str:
    """Return the content hash of the model in use, "none" without one."""
    folder = current_run(data, Stage.MODELS)
    manifest = None if folder is None else read_manifest(folder)
    return "none" if manifest is None else manifest.content_hash
