"""What a model that leaves the house says of itself, for people: MODEL_CARD.md.

In: the lineage of its card, the form it left in, what it permits. Out: text.
It says first what the model is not, for outside the service nothing screens
what is written to it and nothing checks what it says. Nothing here is measured.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psyllm.core.permits import Permit

CARD_NAME = "MODEL_CARD.md"
USES = {
    "any": "any use, under the terms of the sources below",
    "non_commercial": "non-commercial use only",
    "research": "research only: it may not speak to visitors",
    "unknown": "unknown: at least one source says nothing of it, so a person must clear it before any use",
}
# What a source's own licence does not say, by a part of its name.
NOT_CLEARED = {
    "smilechat": "it rewrites PsyQA questions, and PsyQA's terms are for research only: "
    "a person must clear this chain before a public release"
}
IS_NOT = """\
This is a language model alone. It is not a counsellor, not a doctor and no emergency service. Psy-LLM's
service puts a triage of danger before it, a guard behind it, help lines beside it and a counsellor above it;
none of that is in these files. **Do not let it speak to people in distress without all of that.** It can be
wrong, it can harm, and it can repeat words that it was trained on.
"""
GGUF_ONLY = """\
Programs that read this file turn marks such as `<|end|>` into control pieces also where a person typed them;
Psy-LLM's own service does not. Strip them from what people write. The form of a dialogue that this model was
trained in is in the file; an older llama.cpp uses it only with `--jinja`. It has no place for a system message.
"""


class Told(NamedTuple):
    """What the card is written from."""

    name: str
    form: str
    dtype: str
    lineage: dict[str, Any]
    permit: Permit


def card_text(told: Told) -> str:
    """Return the card as Markdown."""
    parts = [f"# {told.name}", IS_NOT]
    if told.form == "gguf":
        parts.append(GGUF_ONLY)
    parts += [f"Weights: {told.form}, {told.dtype}.", "## What it may be used for", _terms(told.permit)]
    parts += ["## Where it comes from", _origin(told.lineage)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def licences(permit: Permit) -> str:
    """Return the licences of all sources in one line; `unknown` where none is named."""
    named = sorted({row["licence"] for row in permit.sources if row.get("licence")})
    unnamed = ["unknown"] if not named or any(not row.get("licence") for row in permit.sources) else []
    return " AND ".join([*named, *unnamed])


def _terms(permit: Permit) -> str:
    lines = [f"- Use: {USES[permit.uses]}."]
    if permit.share_alike:
        lines.append("- What is made from it must be given on under the same terms.")
    if permit.expires:
        lines.append(
            f"- The agreement with a source ends on {permit.expires}; after that day it may not be used."
        )
    for row in permit.sources:
        said = ", ".join(row[name] for name in ("licence", "uses", "expires", "agreement") if row.get(name))
        lines.append(f"- Source `{row.get('source', '')}`: {said or 'no terms known'}.")
        name = row.get("source", "").casefold()
        lines += [f"  - **Not cleared:** {words}." for part, words in NOT_CLEARED.items() if part in name]
    return "\n".join(lines)


def _origin(lineage: dict[str, Any]) -> str:
    lines = []
    step: Any = lineage
    while isinstance(step, dict) and step:
        run = step.get("run") or "a checkpoint of no name"
        how = step.get("adapter")
        with_adapter = (
            f", by an adapter ({how['method']}, rank {how['rank']})" if isinstance(how, dict) else ""
        )
        lines.append(f"- `{run}`{with_adapter}")
        lines += [
            f"  - made from {parent['stage']} `{parent['run']}`, sha256 {parent['content_hash'][:16]}"
            for parent in step.get("parents", [])
        ]
        if step.get("base") and not step.get("base_lineage"):
            lines.append(f"- `{step['base']}`, which says nothing of itself")
        step = step.get("base_lineage")
    return "\n".join(lines) or "It says nothing of itself."
