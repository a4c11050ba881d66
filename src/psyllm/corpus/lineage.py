"""Where training text comes from beyond its own words, and what is not known of it.

Names of sources and the manifests of corpora and models come in; what they grow
out of goes out: derivations that are published (`lineage.toml`), the corpora
that a model was trained on, its base's among them, and the names of what
nobody kept fingerprints of. Unknown is said as unknown. No text is read here.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core import embedded
from psyllm.core.permits import BASE
from psyllm.core.stages import Parent, Stage, read_manifest, stage_folder

LINEAGE = Path(__file__).parent / "lineage.toml"


class Derivation(NamedTuple):
    """Published data whose name a source bears and what these grow out of."""

    source_names: tuple[str, ...]
    grows_from: tuple[str, ...]
    certain: bool


class Origins(NamedTuple):
    """The folders of the corpora trained on, and what is not known, each with why."""

    corpora: list[Path]
    unknown: list[str]


def derived_from(source: str, measured: str) -> Derivation | None:
    """Return the derivation by which a source grows out of what is measured on (its name), if one is known."""
    for derivation in derivations():
        is_source = any(name in source.casefold() for name in derivation.source_names)
        if is_source and any(name in measured.casefold() for name in derivation.grows_from):
            return derivation
    return None


def may_grow_from(source: str) -> tuple[str, ...]:
    """Return the names of all that a source is known to grow out of, for certain or perhaps."""
    return tuple(
        grown
        for derivation in derivations()
        if any(name in source.casefold() for name in derivation.source_names)
        for grown in derivation.grows_from
    )


@functools.cache
def derivations() -> tuple[Derivation, ...]:
    """Return the known derivations."""
    rows = tomllib.loads(LINEAGE.read_text("utf-8"))["derivations"]
    return tuple(
        Derivation(tuple(row["source_names"]), tuple(row["grows_from"]), row["certain"]) for row in rows
    )


def origins_of(parents: Iterable[Parent], said: Mapping[str, Any], data: Path) -> Origins:
    """Return what a model with these parents was trained on; `said` is what it says of its base."""
    corpora: list[Path] = []
    unknown: list[str] = []
    for parent in parents:
        if parent.stage == Stage.CORPUS.value:
            folder = stage_folder(data, Stage.CORPUS) / parent.run
            manifest = read_manifest(folder)
            if manifest is not None and manifest.content_hash == parent.content_hash:
                corpora.append(folder)
            elif embedded.has_read(parent):
                corpora.append(embedded.folder())
            else:
                unknown.append(f"corpus {parent.run} is not there any more")
        elif parent.stage == BASE:
            further = _origins_of_base(parent.run, said.get("base_lineage"), data)
            corpora += [folder for folder in further.corpora if folder not in corpora]
            unknown += further.unknown
    return Origins(corpora, unknown)


def _origins_of_base(name: str, said: Mapping[str, Any] | None, data: Path) -> Origins:
    if not said or not said.get("parents"):
        return Origins([], [f"base {name} was trained elsewhere and has no fingerprints"])
    found = origins_of([Parent.model_validate(parent) for parent in said["parents"]], said, data)
    merged = [
        f"adapter {adapter} was trained elsewhere and has no fingerprints"
        for adapter in said.get("unknown", ())
    ]
    return Origins(found.corpora, [*found.unknown, *merged])
