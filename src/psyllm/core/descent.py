"""Was a model made from the one in the package, and may it speak for that?

In: what a model's manifest or card says of where it comes from. Out: whether the
model in the package, or one made from it, is anywhere in its line, and why it
must stay silent then. A package that holds no such model any more, or another,
vouches for nothing, and neither does a copy, an export or a merge of it: only
those very weights were measured. Nothing here loads a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from psyllm.core import embedded
from psyllm.core.base_models import base_hash
from psyllm.core.permits import BASE
from psyllm.core.stages import Manifest, Parent, Stage

FROM_EMBEDDED = "embedded"  # in a lineage: this model or its base was made from the package's
SILENT = "the model in use was made from"


class _Line(NamedTuple):
    """The bases of a model and of its bases, what those were trained on, and whether one says where it comes from."""

    bases: list[Parent]
    corpora: list[Parent]
    says_so: bool


def mark_of_descent(base: Path, name: str, lineage: Mapping[str, object] | None) -> dict[str, bool]:
    """Return what a model made from this base must say of that: nothing if it isn't the package's nor made from it.

    `lineage` is what the card of the base says of itself.
    """
    is_it = base.resolve() == embedded.folder().resolve() or name == embedded.NAME
    return {FROM_EMBEDDED: True} if is_it or _leads_to_it(_line((), {"base_lineage": lineage})) else {}


def not_vouched(model: Manifest) -> str:
    """Return why a model made from the package's must stay silent; empty if it may speak or wasn't made from it."""
    try:
        line = _line(model.parents, model.details.get("lineage"))
    except (ValueError, TypeError):
        return f"{SILENT} what its manifest does not say in a form that can be read"
    if not _leads_to_it(line):
        return ""
    if not embedded.is_here():
        return f"{SILENT} an embedded model that this package does not vouch for: it holds none"
    standing = embedded.standing()
    is_it = _its_hash() in {base.content_hash for base in line.bases}
    if is_it and not standing.passed:
        return f"{SILENT} the embedded model, and {standing.reason}"
    if not is_it:
        return (
            f"{SILENT} an embedded model that this package does not vouch for: not from these very weights; "
            f"train from the package's own: psyllm train --base {embedded.NAME}"
        )
    return ""


def made_from_embedded(model: Manifest) -> bool:
    """Return whether the package's model, any version of it, is in the line of this one.

    Raises:
        ValueError: what the manifest says of its line can't be read.
    """
    return _leads_to_it(_line(model.parents, model.details.get("lineage")))


def _its_hash() -> str:
    try:
        return base_hash(embedded.folder())
    except OSError:
        return ""


def _leads_to_it(line: _Line) -> bool:
    if line.says_so or any(base.run == embedded.NAME for base in line.bases):
        return True
    # an export and a merge have other weights and another name, and were trained on the same corpus
    read = {parent.content_hash for parent in embedded.corpora()}
    return any(parent.content_hash in read for parent in line.corpora)


def _line(parents: Iterable[Parent], lineage: object) -> _Line:
    bases = [parent for parent in parents if parent.stage == BASE]
    corpora: list[Parent] = []
    for said in _steps(lineage, below=True):
        made_of = [Parent.model_validate(parent) for parent in _rows(said.get("parents"))]
        bases += [parent for parent in made_of if parent.stage == BASE]
        corpora += [parent for parent in made_of if parent.stage == Stage.CORPUS.value]
        if said.get("base"):
            bases.append(Parent(stage=BASE, run=str(said["base"]), content_hash=""))
    return _Line(bases, corpora, any(bool(said.get(FROM_EMBEDDED)) for said in _steps(lineage)))


def _steps(lineage: object, *, below: bool = False) -> Iterator[Mapping[str, object]]:
    """Yield what is said at each step down the line, of the bases only with `below`."""
    step = lineage.get("base_lineage") if below and isinstance(lineage, Mapping) else lineage
    while isinstance(step, Mapping):
        yield step
        step = step.get("base_lineage")


def _rows(said: object) -> list[object]:
    if said is None:
        return []
    if not isinstance(said, list | tuple):
        message = "the parents are no list"
        raise TypeError(message)
    return [*said]
