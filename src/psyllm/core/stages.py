"""Folders of runs: where a stage's output lies and when it is complete.

`data/<stage>/<run>/` holds one run; its `manifest.json` is written last, so a
folder without one is an unfinished run and is never read. `data/<stage>/current`
names the run in use. A run's name ends in its fingerprint, a hash of its input,
settings and code: if that run is complete, there is nothing to do.
Nothing here knows what the stages do.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import resource
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from psyllm.core.errors import DiskFull, MissingStage, StageBusy
from psyllm.core.records import Frozen, readable
from psyllm.core.versions import library_versions

MANIFEST = "manifest.json"
CURRENT = "current"
# What a run says of its times while it is made: other times make no other run, so no hash covers it.
EVENTS = "events"
STAGES_WITH_ALL_RUNS_IN_USE = frozenset({"1_collected", "6_feedback"})
# A file may not grow (a quota, a limit of the shell) just as when the disk is full.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Stage(StrEnum):
    """The six folders of `data/`, in the order of the flow."""

    COLLECTED = "1_collected"
    CLEANED = "2_cleaned"
    CORPUS = "3_corpus"
    MODELS = "4_models"
    REPORTS = "5_reports"
    FEEDBACK = "6_feedback"


COMMAND_FOR = {
    Stage.COLLECTED: "psyllm collect import PATH --name NAME --licence LICENCE",
    Stage.CLEANED: "psyllm clean",
    Stage.CORPUS: "psyllm corpus",
    Stage.MODELS: "psyllm train",
    Stage.REPORTS: "psyllm evaluate",
    Stage.FEEDBACK: "psyllm feedback",
}


class Parent(Frozen):
    """A run that another run was made from."""

    stage: str
    run: str
    content_hash: str


class Manifest(Frozen):
    """What a complete run is: counts, hashes, parents, settings, versions."""

    stage: str
    run: str
    fingerprint: str
    counts: dict[str, int] = Field(default_factory=dict)
    drops: dict[str, int] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    content_hash: str = ""
    parents: tuple[Parent, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)
    finished_at: str = ""
    seconds: float = 0.0
    peak_rss_mb: int = 0

    def as_parent(self) -> Parent:
        """Return how a later run names this one."""
        return Parent(stage=self.stage, run=self.run, content_hash=self.content_hash)


def command_for(stage: Stage, data: Path) -> str:
    """Return what to type to make a run of this stage in this data folder."""
    return f"{COMMAND_FOR[stage]} --data {shlex.quote(str(data))}"


def stage_folder(data: Path, stage: Stage) -> Path:
    """Return `data/<stage>`."""
    return data / stage.value


def read_manifest(run_folder: Path) -> Manifest | None:
    """Return the manifest of a complete run, None for an unfinished or absent one.

    Raises:
        MalformedInput: it is damaged.
    """
    path = run_folder / MANIFEST
    try:
        with readable(path):
            return Manifest.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def complete_runs(data: Path, stage: Stage) -> list[Manifest]:
    """Return the manifests of all complete runs of a stage, by name."""
    folder = stage_folder(data, stage)
    if not folder.is_dir():
        return []
    paths = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    manifests = (read_manifest(path) for path in paths)
    return [manifest for manifest in manifests if manifest is not None]


def current_run(data: Path, stage: Stage) -> Path | None:
    """Return the folder of the run in use, None if there is none."""
    try:
        name = (stage_folder(data, stage) / CURRENT).read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    folder = stage_folder(data, stage) / name
    return folder if read_manifest(folder) is not None else None


def need_current(data: Path, stage: Stage) -> tuple[Path, Manifest]:
    """Return folder and manifest of the run in use.

    Raises:
        MissingStage: there is none; names the command that makes one.
    """
    folder = current_run(data, stage)
    manifest = read_manifest(folder) if folder is not None else None
    if folder is None or manifest is None:
        message = f"{stage_folder(data, stage)} has no complete run yet"
        raise MissingStage(message, f"run: {command_for(stage, data)}")
    return folder, manifest


def set_current(data: Path, stage: Stage, run: str) -> None:
    """Make `run` the run in use, atomically."""
    write_text_atomically(stage_folder(data, stage) / CURRENT, run + "\n")


def write_text_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader or a crash sees the old or the new text, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(rooms: Iterable[str]) -> str:
    """Return a hash over the source and table files of the named rooms."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in sorted(set(rooms)):
        for path in sorted((package / room).rglob("*")):
            if path.suffix in {".py", ".toml", ".json", ".jinja", ".npz", ".yaml"}:
                digest.update(f"{path.relative_to(package)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(
    stage: Stage, parents: Iterable[Parent], settings: Mapping[str, Any], rooms: Iterable[str]
) -> str:
    """Return the hash of input, settings and code that names a run."""
    payload = {
        "stage": stage.value,
        "parents": [parent.model_dump() for parent in parents],
        "settings": dict(settings),
        "code": code_hash(rooms),
    }
    text = json.dumps(payload, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class StageRun:
    """One run being written: `folder` to write into, then `finish`."""

    def __init__(
        self,
        data: Path,
        stage: Stage,
        name: str,
        mark: str,
        parents: tuple[Parent, ...],
        settings: Mapping[str, Any],
    ) -> None:
        self.data = data
        self.stage = stage
        self.name = name
        self.fingerprint = mark
        self.parents = parents
        self.settings = dict(settings)
        self.folder = stage_folder(data, stage) / name
        self._started = time.monotonic()

    def finish(
        self,
        *,
        counts: Mapping[str, int],
        drops: Mapping[str, int] | None = None,
        seeds: Mapping[str, int] | None = None,
        details: Mapping[str, Any] | None = None,
        take_into_use: bool = True,
    ) -> Manifest:
        """Hash every file, write the manifest last, make the run current where it is to be."""
        files, content_hash = hashed_files(self.folder)
        manifest = Manifest(
            stage=self.stage.value,
            run=self.name,
            fingerprint=self.fingerprint,
            counts=dict(counts),
            drops=dict(drops or {}),
            files=files,
            content_hash=content_hash,
            parents=self.parents,
            settings=self.settings,
            seeds=dict(seeds or {}),
            versions=library_versions(),
            details=dict(details or {}),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._started, 2),
            peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        )
        write_manifest(self.folder, manifest)
        if take_into_use and self.stage.value not in STAGES_WITH_ALL_RUNS_IN_USE:
            set_current(self.data, self.stage, self.name)
        return manifest


def hashed_files(folder: Path) -> tuple[dict[str, str], str]:
    """Return the hash of every file of a run by name, and one hash over all."""
    files = {
        str(path.relative_to(folder)): file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST and path.relative_to(folder).parts[0] != EVENTS
    }
    listing = "\n".join(f"{name} {value}" for name, value in sorted(files.items()))
    return files, hashlib.sha256(listing.encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a run's manifest once all of its files are on the disk."""
    _fsync_files(folder)
    write_text_atomically(folder / MANIFEST, manifest.model_dump_json(indent=1))


@contextmanager
def locked(data: Path, stage: Stage) -> Iterator[None]:
    """Hold the lock of a stage, so that nobody else writes to it.

    Raises:
        StageBusy: another process holds it.
    """
    folder = stage_folder(data, stage)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another process writes to {folder}"
            raise StageBusy(message, "wait for it to end, then run the command again") from None
        yield


@contextmanager
def writing(run: StageRun, *, keep_partial: bool = False, beside: bool = False) -> Iterator[StageRun]:
    """Hold the stage's lock and a clean folder while `run` is written.

    An unfinished folder of the same name is emptied first, unless
    `keep_partial` (for a stage that resumes from its own checkpoints). With
    `beside` a complete run of the same name stays as it is until this one is
    finished, and is then replaced in one step.

    Raises:
        StageBusy: another process holds the lock.
        DiskFull: the disk is full; what was complete before stays as it was.
    """
    stage = stage_folder(run.data, run.stage)
    try:
        with (
            locked(run.data, run.stage),
            _folder_beside(run) if beside else _folder(run, keep_partial=keep_partial),
        ):
            yield run
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        message = f"no space left on the disk that holds {stage}"
        next_step = "free some space or name another folder with --data, then run the command again"
        raise DiskFull(message, next_step) from error


@contextmanager
def _folder(run: StageRun, *, keep_partial: bool) -> Iterator[None]:
    if not keep_partial:
        shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE and not keep_partial:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise
    finally:
        if run.folder.is_dir() and not any(run.folder.iterdir()):  # refused before anything was done
            run.folder.rmdir()


@contextmanager
def _folder_beside(run: StageRun) -> Iterator[None]:
    final = run.folder
    run.folder = final.with_name(f".{run.name}.new")
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True)
    try:
        yield
        _put_in_place(run.folder, final)
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)
        run.folder = final


def up_to_date(data: Path, stage: Stage, name: str, *, take_into_use: bool = True) -> Manifest | None:
    """Return the manifest if this very run is complete with all of its files, and make it current where it is to be."""
    folder = stage_folder(data, stage) / name
    manifest = read_manifest(folder)
    if manifest is None or any(not (folder / file).is_file() for file in manifest.files):
        return None
    if take_into_use and stage.value not in STAGES_WITH_ALL_RUNS_IN_USE:
        set_current(data, stage, name)
    return manifest


def _put_in_place(new: Path, final: Path) -> None:
    """Give `new` the name `final`; what had it gets the other name, in one step where the system can."""
    if not final.exists():
        new.rename(final)
        return
    at_working_directory, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        failed = renameat2(
            at_working_directory, os.fsencode(new), at_working_directory, os.fsencode(final), exchange
        )
    except AttributeError:
        failed = True
    if failed:  # not Linux, or a file system without it: two steps
        aside = new.with_name(f"{new.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
        new.rename(final)
        aside.rename(new)


def _fsync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
