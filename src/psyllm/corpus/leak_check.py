"""How much of an evaluation file was trained on, found without the training text.

An evaluation file and the fingerprints of corpora come in; counts go out, by
source: items of which a share of the runs of 13 Chinese characters is known,
and items that open as a training record does. A source that is known to grow
out of what is measured on makes a leak likely, whatever the counts; what is
measured on is told by a name given, or by the names in its path. What has no
fingerprints, or not those that its manifest vouches for, is unknown, and so is
a derived source where no name fits, and a source of which neither a published
derivation is known nor somebody said that it is first-hand: names tell nothing
of data under another name. Then no number speaks for the whole. It does not
see what is told in other words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from psyllm.core.errors import MissingStage
from psyllm.core.progress import track
from psyllm.core.stages import Manifest, Stage, complete_runs, current_run, read_manifest, stage_folder
from psyllm.corpus.columns import RUN_CHARS
from psyllm.corpus.evaluation_items import Item, need_items, read_items
from psyllm.corpus.fingerprints import (
    opening_print,
    read_index,
    read_openings,
    read_runs,
    shortened,
    whole_sources,
)
from psyllm.corpus.lineage import Origins, derived_from, may_grow_from, origins_of
from psyllm.text.han_windows import han_texts, windows
from psyllm.text.hashed_ngrams import Hashes
from psyllm.text.known_hashes import KnownHashes, once_in_order

UNKNOWN = "leak unknown"


class SourceLeak(NamedTuple):
    """What of the items one source holds; `derivation` says a likely leak in words, or nothing."""

    source: str
    sharing: int
    same_opening: int
    same_beginning: int
    derivation: str


class LeakReport(NamedTuple):
    """The items of a file, how many are known by any source, and what is not known."""

    items: int
    with_runs: int
    leaked: int
    least_share: float
    sources: list[SourceLeak]
    unknown: list[str]

    @property
    def verdict(self) -> str:
        """The whole in one sentence; where anything is unknown it never says that there is no leak."""
        found = f"{self.leaked:,} of {self.items:,} items are known"
        likely = sorted({leak.derivation for leak in self.sources if leak.derivation})
        if self.unknown:
            found = f"{UNKNOWN}: {'; '.join(self.unknown)}" + (f"; at least {found}" if self.leaked else "")
        return "; ".join([*likely, found])


class _Measured(NamedTuple):
    """The items as numbers: distinct runs with the item of each, and how each opens."""

    runs: Hashes
    owners: NDArray[np.int64]
    sizes: NDArray[np.int64]
    openings: list[str]


def check(path: Path, origins: Origins, least_share: float, name: str = "") -> LeakReport:
    """Return what of an evaluation file was trained on; `name` is of what it belongs to (else its path's).

    Raises:
        MissingFile: there is no such path.
        UnknownFormat: it is of no known kind.
        BadInput: it holds nothing to check.
    """
    items = list(read_items(path))
    need_items(items, path)
    measured = _measured(items)
    leaked = np.zeros(len(items), dtype=bool)
    unknown = list(origins.unknown)
    found: dict[str, SourceLeak] = {}
    for folder in origins.corpora:
        index = read_index(folder)
        if not index:
            unknown.append(f"corpus {folder.name} has no fingerprints of this version")
            continue
        manifest = read_manifest(folder)
        whole = whole_sources(folder, manifest.files if manifest is not None else {})
        own = manifest.details.get("own_work") if manifest is not None else None
        for source, counts in track(index.items(), "look into sources", len(index)):
            derivation = _derivation(source, name or path.absolute().as_posix())
            if not derivation and not name:
                unknown += _not_named(source)
            if source not in (own or ()) and not may_grow_from(source):
                unknown.append(
                    f"nothing says what {source} was made from (--own-work of an import says: nothing)"
                )
            if source not in whole:
                lost = f"fingerprints of {source} in corpus {folder.name} are missing or changed"
                unknown += [lost, derivation] if derivation else [lost]
                continue
            here = _sharing(measured, read_runs(folder, source), least_share)
            opens, begins = _opening(measured, folder, source, counts["opening_chars"])
            leaked |= here | opens | begins
            leak = SourceLeak(source, int(here.sum()), int(opens.sum()), int(begins.sum()), derivation)
            found[f"{folder.name}/{source}"] = leak
    if not origins.corpora and not unknown:
        unknown.append("nothing says what was trained on")
    with_runs = int((measured.sizes > 0).sum())
    unknown = list(dict.fromkeys(unknown))
    return LeakReport(len(items), with_runs, int(leaked.sum()), least_share, list(found.values()), unknown)


def origins_of_corpus(folder: Path, manifest: Manifest) -> Origins:
    """Return a corpus as the only origin; what its manifest does not vouch for is unknown."""
    if not any(name.startswith("fingerprints/") for name in manifest.files):
        return Origins([], [f"corpus {manifest.run} has no fingerprints"])
    return Origins([folder], [])


def origins_of_model(name: str, data: Path) -> Origins:
    """Return what a model was trained on, its base included; `name` is a run of `4_models` or `current`.

    Raises:
        MissingStage: there is no such model.
    """
    folder = current_run(data, Stage.MODELS) if name == "current" else stage_folder(data, Stage.MODELS) / name
    manifest = read_manifest(folder) if folder is not None else None
    if manifest is None:
        runs = ", ".join(run.run for run in complete_runs(data, Stage.MODELS)) or "none"
        message = f"there is no model {name}; there are: {runs}"
        raise MissingStage(message, "name one of these with --model, or run: psyllm train")
    return origins_of(manifest.parents, manifest.details.get("lineage") or {}, data)


def _measured(items: Sequence[Item]) -> _Measured:
    found = windows(han_texts([text for item in items for text in item.texts]), RUN_CHARS)
    owners = np.repeat(np.arange(len(items)), [len(item.texts) for item in items])
    owners = np.repeat(owners, np.diff(found.borders))
    runs = shortened(found.hashes)
    order = np.lexsort((runs, owners))
    runs, owners = runs[order], owners[order]
    is_new = np.ones(len(runs), dtype=bool)
    is_new[1:] = (runs[1:] != runs[:-1]) | (owners[1:] != owners[:-1])
    runs, owners = runs[is_new], owners[is_new]
    return _Measured(
        runs, owners, np.bincount(owners, minlength=len(items)), [item.opening for item in items]
    )


def _sharing(measured: _Measured, lots: Iterable[Hashes], least_share: float) -> NDArray[np.bool_]:
    distinct = KnownHashes(once_in_order(measured.runs))
    seen = np.zeros(len(distinct), dtype=bool)
    for lot in lots:
        seen[distinct.find(lot)[1]] = True
    is_known = seen[distinct.find(measured.runs)[1]]
    hits = np.bincount(measured.owners[is_known], minlength=len(measured.sizes))
    enough: NDArray[np.bool_] = (hits > 0) & (hits >= least_share * measured.sizes)
    return enough


def _opening(
    measured: _Measured, folder: Path, source: str, opening_chars: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    beginnings, whole = read_openings(folder, source)
    prints = [opening_print(opening, opening_chars) for opening in measured.openings]
    opens = np.array([found is not None and found[1] in whole for found in prints], dtype=bool)
    begins = np.array([found is not None and found[0] in beginnings for found in prints], dtype=bool)
    return opens, begins


def _derivation(source: str, measured: str) -> str:
    derivation = derived_from(source, measured)
    if derivation is None:
        return ""
    grown = " and ".join(derivation.grows_from)
    how = "derived from" if derivation.certain else "perhaps derived from"
    return f"leak likely: {source} is {how} {grown}"


def _not_named(source: str) -> Iterator[str]:
    """Yield why it is unknown whether a source grows out of items that bear no name."""
    grown = " and ".join(may_grow_from(source))
    if grown:
        yield f"{source} may grow out of {grown}, and no name says what these items are of (--name says it)"
