"""How much of an evaluation file was trained on, found without the training text.

An evaluation file and the fingerprints of corpora come in; counts go out, by
source: items of which a share of the runs of 13 Chinese characters is known, or
of their opening's, or many of one text's (`text/known_text.py`), and items that
open as a training record does. A source that is known to grow
out of what is measured on makes a leak likely, whatever the counts; what is
measured on is told by a name given, or by the names in its path. Unknown is what
has no fingerprints, or not those that its manifest vouches for; an item too short
for a sample of runs, which is all that goes with the embedded model; a derived
source where no name fits; and a source of which neither a published derivation
is known nor somebody said that it is first-hand: names tell nothing of data
under another name. Then no number speaks for the whole. It does not see what is
told in other words.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psyllm.core import embedded
from psyllm.core.errors import MissingStage
from psyllm.core.fingerprints import read_index, read_openings, read_runs, read_vouched, whole_sources
from psyllm.core.progress import track
from psyllm.core.stages import Manifest, Stage, complete_runs, current_run, read_manifest, stage_folder
from psyllm.corpus.evaluation_items import need_items, read_items
from psyllm.corpus.lineage import Origins, derived_from, may_grow_from, origins_of
from psyllm.text.known_text import Measured, comparable, measured, opening_alike, sharing

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


def check(path: Path, origins: Origins, least_share: float, name: str = "") -> LeakReport:
    """Return what of an evaluation file was trained on; `name` is of what it belongs to (else its path's).

    Raises:
        MissingFile: there is no such path.
        UnknownFormat: it is of no known kind.
        BadInput: it holds nothing to check.
    """
    items = list(read_items(path))
    need_items(items, path)
    numbers = measured([item.opening for item in items], [item.texts for item in items])
    look = _Look(numbers, least_share, name, path)
    look.unknown += origins.unknown
    for folder in origins.corpora:
        look.into(folder)
    if not origins.corpora and not look.unknown:
        look.unknown.append("nothing says what was trained on")
    for sample_bits in look.samples:
        thin = int(((numbers.whole.sizes > 0) & ~comparable(numbers, sample_bits) & ~look.leaked).sum())
        if thin:
            look.unknown.append(f"{thin:,} items are too short for a sample of one run in {1 << sample_bits}")
    with_runs = int((numbers.whole.sizes > 0).sum())
    unknown = list(dict.fromkeys(look.unknown))
    leaked = int(look.leaked.sum())
    return LeakReport(len(items), with_runs, leaked, least_share, list(look.found.values()), unknown)


class _Look:
    """Items being looked for in one corpus after the other."""

    def __init__(self, items: Measured, least_share: float, name: str, path: Path) -> None:
        self._items = items
        self._least_share = least_share
        self._called = name or path.absolute().as_posix()
        self._is_named = bool(name)
        self.unknown: list[str] = []
        self.leaked = np.zeros(len(items.openings), dtype=bool)
        self.found: dict[str, SourceLeak] = {}
        self.samples: set[int] = set()

    def into(self, folder: Path) -> None:
        """Look into all sources of a corpus, or of fingerprints that lie without theirs."""
        index = read_index(folder)
        if not index:
            self.unknown.append(f"corpus {folder.name} has no fingerprints of this version")
            return
        manifest = read_manifest(folder)
        files, own = read_vouched(folder)
        if manifest is not None:
            files, own = manifest.files, manifest.details.get("own_work") or []
        whole = whole_sources(folder, files)
        for source, counts in track(index.items(), "look into sources", len(index)):
            derivation = _derivation(source, self._called)
            if not derivation and not self._is_named:
                self.unknown += _not_named(source)
            if source not in own and not may_grow_from(source):
                self.unknown.append(
                    f"nothing says what {source} was made from (--own-work of an import says: nothing)"
                )
            if source not in whole:
                lost = f"fingerprints of {source} in corpus {folder.name} are missing or changed"
                self.unknown += [lost, derivation] if derivation else [lost]
                continue
            self._into_source(folder, source, counts, derivation)

    def _into_source(self, folder: Path, source: str, counts: dict[str, int], derivation: str) -> None:
        bits = counts["sample_bits"]
        if bits:
            self.samples.add(bits)
        here = sharing(self._items, read_runs(folder, source, bits), self._least_share, bits)
        opens, begins = opening_alike(self._items, read_openings(folder, source), counts["opening_chars"])
        self.leaked |= here | opens | begins
        leak = SourceLeak(source, int(here.sum()), int(opens.sum()), int(begins.sum()), derivation)
        self.found[f"{folder.name}/{source}"] = leak


def origins_of_corpus(folder: Path, manifest: Manifest) -> Origins:
    """Return a corpus as the only origin; what its manifest does not vouch for is unknown."""
    if not any(name.startswith("fingerprints/") for name in manifest.files):
        return Origins([], [f"corpus {manifest.run} has no fingerprints"])
    return Origins([folder], [])


def origins_of_model(name: str, data: Path) -> Origins:
    """Return what a model was trained on, its base included; `name` is a run of `4_models`, `current` or `embedded`.

    Raises:
        MissingStage: there is no such model.
    """
    if name == embedded.NAME and read_index(embedded.folder()):
        return Origins([embedded.folder()], [])
    folder = current_run(data, Stage.MODELS) if name == "current" else stage_folder(data, Stage.MODELS) / name
    manifest = read_manifest(folder) if folder is not None else None
    if manifest is None:
        runs = ", ".join(run.run for run in complete_runs(data, Stage.MODELS)) or "none"
        message = f"there is no model {name}; there are: {runs}"
        raise MissingStage(message, "name one of these with --model, or run: psyllm train")
    return origins_of(manifest.parents, manifest.details.get("lineage") or {}, data)


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
