"""What texts may be used for, and until when: one permit for a corpus, an export, a model.

Permits come in as a manifest or a model card holds them, or in parts; out go
the strictest of them together, a refusal where one has ended, and why one keeps
a model from speaking to visitors. What is not said, or can't be read, is
unknown, which is stricter than every known use. What a licence permits is
`licences.py`'s.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from psyllm.core.errors import MissingStage
from psyllm.core.stages import Manifest

Uses = Literal["any", "non_commercial", "research", "unknown"]
FROM_FREE_TO_STRICT: tuple[Uses, ...] = ("any", "non_commercial", "research", "unknown")
BASE = "base"  # the stage of a parent that is a checkpoint and no run of ours
_ROW = ("source", "licence", "uses", "expires", "agreement")


class Permit(NamedTuple):
    """What a corpus and every model trained on it may be used for; `expires` is empty for no end."""

    uses: Uses
    share_alike: bool
    expires: str
    sources: list[dict[str, str]]


def strictest(uses: Iterable[str]) -> Uses:
    """Return the narrowest of these uses; of none, that anything is allowed; of a strange one, unknown."""
    ranks = (FROM_FREE_TO_STRICT.index(use) if use in FROM_FREE_TO_STRICT else -1 for use in uses)
    found = set(ranks)
    return "unknown" if -1 in found else FROM_FREE_TO_STRICT[max(found, default=0)]


def together(permits: Iterable[Permit]) -> Permit:
    """Return what all of these permit: the narrowest use, the earliest end, each source once."""
    each = list(permits)
    rows: list[dict[str, str]] = []
    for permit in each:
        rows += [row for row in permit.sources if row not in rows]
    return Permit(
        uses=strictest(permit.uses for permit in each),
        share_alike=any(permit.share_alike for permit in each),
        expires=min((permit.expires for permit in each if permit.expires), default=""),
        sources=rows,
    )


def read_permit(said: object, of: str) -> Permit:
    """Return the permit that a manifest or a card holds; `of` names what it belongs to, should nothing be said.

    An end that is no date makes the uses unknown, for nobody can tell when they end.
    """
    if not isinstance(said, Mapping):
        return _unknown(of)
    expires = str(said.get("expires") or "")
    uses = strictest([str(said.get("uses"))])
    if not _is_day(expires):
        uses, expires = "unknown", ""
    rows = said.get("sources")
    sources = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    told = [{name: str(row.get(name) or "") for name in _ROW} for row in sources]
    return Permit(uses, bool(said.get("share_alike")), expires, told)


def permit_of_model(model: Manifest) -> Permit:
    """Return what a model may be used for: what its corpus permits, and its base, and that one's base."""
    bases = [parent.run for parent in model.parents if parent.stage == BASE]
    said = model.details.get("lineage")
    lineage: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    permits = [read_permit(lineage.get("permit"), f"model {model.run}")]
    return together([*permits, *(_of_base_below(lineage, base) for base in bases)])


def permit_of_base(lineage: object, base: str) -> Permit:
    """Return what a base model permits, its own base included; one that says nothing of itself is unknown.

    `lineage` is what the card of the base says of where it comes from.
    """
    said: Mapping[str, Any] = lineage if isinstance(lineage, Mapping) else {}
    permits = [read_permit(said.get("permit"), f"base {base}")]
    if said.get("base") or said.get("base_lineage"):
        permits.append(_of_base_below(said, str(said.get("base") or "of no name")))
    return together(permits)


def _of_base_below(lineage: Mapping[str, Any], base: str) -> Permit:
    """Return what the base of a model permits: a published one says nothing of itself but its licence."""
    if not lineage.get("base_lineage") and "base_permit" in lineage:
        return read_permit(lineage["base_permit"], f"base {base}")
    return permit_of_base(lineage.get("base_lineage"), base)


def refuse_ended(permit: Permit, what: str, next_step: str, today: dt.date) -> None:
    """Refuse to go on with something that rests on an agreement whose last day has passed.

    Raises:
        MissingStage: the agreement has ended.
    """
    if has_ended(permit, today):
        message = f"{what} rests on a source whose agreement ended on {permit.expires}"
        raise MissingStage(message, next_step)


def has_ended(permit: Permit, today: dt.date) -> bool:
    """Return whether the last day has passed; the last day itself still counts."""
    return bool(permit.expires) and dt.date.fromisoformat(permit.expires) < today


def kept_from_visitors(permit: Permit, today: dt.date) -> str:
    """Return why a model under this permit may not speak to visitors, as half a sentence; empty if it may.

    Serving somebody is no research, whatever else is unknown of the model. Unknown uses alone forbid
    nothing: records that visitors consented to have no licence that a table knows either.
    """
    if has_ended(permit, today):
        return f"rests on a source whose agreement ended on {permit.expires}"
    bound = [row["source"] for row in permit.sources if row.get("uses") == "research"]
    if bound or permit.uses == "research":
        return f"may be used for research only ({', '.join(bound) or 'its own terms say so'})"
    return ""


def _unknown(of: str) -> Permit:
    row = dict.fromkeys(_ROW, "") | {"source": of, "uses": "unknown"}
    return Permit(uses="unknown", share_alike=False, expires="", sources=[row])


def _is_day(expires: str) -> bool:
    try:
        return not expires or bool(dt.date.fromisoformat(expires))
    except ValueError:
        return False
