"""What a training was made of: settings, corpus, the chain of models before it, its permit, its report.

A run found by `training_runs.py` comes in; the API's models go out. A base that
says nothing of itself ends the chain by its name. Of a path only its last name
is told, for the rest may name somebody. Nothing here decides what a permit means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from psyllm.core.errors import MalformedInput
from psyllm.core.permits import BASE, permit_of_model
from psyllm.core.stages import Manifest, Parent, Stage, read_manifest, stage_folder
from psyllm.core.train_settings import TrainSettings
from psyllm.serve import training_schema as schema
from psyllm.serve.training_runs import Found, number, read_object, summary_of

TOKENIZERS = ("model/tokenizer.json", "model/vocab.model", "model/vocab.json")
# What a report says first of a model; the rest stands in its own page.
REPORTED = (
    "bits_per_char",
    "guard_passed_percent",
    "rouge_l_chars_percent",
    "distinct_2_chars_per_char_percent",
    "length_chars",
)
FACTS = ("processor", "cores", "threads", "memory_mb", "card", "card_memory_mb", "precision")
LONGEST_CHAIN = 20
PATHS = frozenset({"base"})


def detail(data: Path, found: Found) -> schema.TrainingDetail:
    """Return all that is known of a run."""
    manifest = found.manifest
    said = found.description
    files = {} if manifest is None else manifest.files
    machine = _object(said.get("machine")) if manifest is None else manifest.details
    versions = _object(said.get("versions")) if manifest is None else manifest.versions
    return schema.TrainingDetail(
        summary=summary_of(data, found),
        settings=settings_rows(found.settings),
        corpus=_corpus(data, found),
        lineage=_lineage(data, found),
        permit=None if manifest is None else _permit(manifest),
        report=None if manifest is None else _report(data, manifest),
        machine=[
            schema.TrainingFact(name=name, value=str(machine[name])) for name in FACTS if name in machine
        ],
        versions=[schema.TrainingFact(name=name, value=str(value)) for name, value in versions.items()],
        content_hash="" if manifest is None else manifest.content_hash,
        tokenizer_hash=next((files[name] for name in TOKENIZERS if name in files), ""),
        seconds=None if manifest is None else manifest.seconds,
        peak_memory_mb=None if manifest is None else manifest.peak_rss_mb,
    )


def settings_rows(settings: Mapping[str, Any]) -> list[schema.TrainingSetting]:
    """Return each setting beside its default, those that differ first."""
    defaults = dict(_flat(TrainSettings().model_dump(mode="json")))
    rows = [
        schema.TrainingSetting(
            name=name,
            value=value,
            default=defaults.get(name),
            differs=value != defaults.get(name),
        )
        for name, value in _flat(settings)
    ]
    return sorted(rows, key=lambda row: not row.differs)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", _said(name, value)


def _said(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(_said(name, one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return PurePath(text).name if name in PATHS or text.startswith("/") else text


def _parents(found: Found) -> list[Parent]:
    if found.manifest is not None:
        return list(found.manifest.parents)
    said = found.description.get("parents")
    try:
        return [Parent.model_validate(one) for one in said] if isinstance(said, list) else []
    except ValueError:
        return []


def _corpus(data: Path, found: Found) -> schema.TrainingParent | None:
    named = next((one for one in _parents(found) if one.stage == Stage.CORPUS.value), None)
    if named is None:
        return None
    there = _manifest(stage_folder(data, Stage.CORPUS) / named.run)
    here = there is not None and there.content_hash == named.content_hash
    return schema.TrainingParent(run=named.run, content_hash=named.content_hash, here=here)


def _lineage(data: Path, found: Found) -> list[schema.LineageStep]:
    details = found.description if found.manifest is None else found.manifest.details
    said = details.get("lineage")
    base = next((one for one in _parents(found) if one.stage in {BASE, Stage.MODELS.value}), None)
    before = said.get("base_lineage") if isinstance(said, Mapping) else None
    chain = _before(data, before, base.run if base is not None else "")
    here = found.folder.name
    stages = [
        name
        for name, value in found.settings.items()
        if isinstance(value, Mapping) and number(value.get("steps"))
    ]
    return [*chain, *(schema.LineageStep(kind=stage, name=here, run=here) for stage in stages)]


def _before(data: Path, lineage: object, base: str, depth: int = 0) -> list[schema.LineageStep]:
    """Return the chain that led to a base, the eldest first; `lineage` is what the base says of itself."""
    if not base:
        return [schema.LineageStep(kind="nothing", name="", run="")]
    if not isinstance(lineage, Mapping) or depth >= LONGEST_CHAIN:
        return [schema.LineageStep(kind="base", name=PurePath(base).name, run="")]
    run = PurePath(str(lineage.get("run") or base)).name
    here = run != ".." and (stage_folder(data, Stage.MODELS) / run).is_dir()
    own = schema.LineageStep(kind="model", name=run, run=run if here else "")
    return [*_before(data, lineage.get("base_lineage"), str(lineage.get("base") or ""), depth + 1), own]


def _permit(manifest: Manifest) -> schema.TrainingPermit:
    permit = permit_of_model(manifest)
    return schema.TrainingPermit(
        uses=permit.uses,
        share_alike=permit.share_alike,
        expires=permit.expires,
        sources=[
            schema.TrainingSource(**{name: row[name] for name in ("source", "licence", "uses", "expires")})
            for row in permit.sources
        ],
    )


def _report(data: Path, model: Manifest) -> schema.TrainingReport | None:
    folder = stage_folder(data, Stage.REPORTS)
    runs = [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    reports = [one for one in map(_manifest, runs) if one is not None and _is_of(one, model)]
    if not reports:
        return None
    newest = max(reports, key=lambda one: one.finished_at)
    metrics = read_object(folder / newest.run / "metrics.json")
    figures = _object(_object(metrics.get("figures")).get("model"))
    return schema.TrainingReport(
        run=newest.run,
        split=str(metrics.get("split", "")),
        figures=[one for name in REPORTED if (one := _figure(name, figures.get(name))) is not None],
    )


def _is_of(report: Manifest, model: Manifest) -> bool:
    """Return whether a report measured this model and no other beside it."""
    return [parent for parent in report.parents if parent.stage == Stage.MODELS.value] == [model.as_parent()]


def _figure(name: str, said: object) -> schema.TrainingFigure | None:
    value = number(said.get("value")) if isinstance(said, Mapping) else None
    if value is None or not isinstance(said, Mapping):
        return None
    return schema.TrainingFigure(
        name=name, value=value, low=number(said.get("low")), high=number(said.get("high"))
    )


def _object(said: object) -> Mapping[str, Any]:
    """Return what a file says where it is an object; what else stands there says nothing."""
    return said if isinstance(said, Mapping) else {}


def _manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except (MalformedInput, OSError):
        return None
