"""Loss curves as an SVG that stands inside a page.

In: one stage's curves. Out: an `<svg>` element that is the same bytes each
time: no date, no link, no width. Its colours are the page's CSS variables, so
that it follows light and dark.
"""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from psyllm.evaluate.losses import Curves

# Stand-ins that matplotlib takes for colours; `_inline` puts the page's variables in their place.
INK, TRAIN, DEV, RULE = "#010203", "#010204", "#010205", "#010206"
VARIABLES = {INK: "var(--soft)", TRAIN: "var(--train)", DEV: "var(--dev)", RULE: "var(--rule)"}
SIZE_INCHES = (5.2, 3.1)


def loss_plot(curves: Curves, model: str = "") -> str:
    """Return the stage's training and dev loss over steps as inline SVG; `model` names it where a page shows several."""
    name = re.sub(r"[^\w.-]", "_", f"{model}-{curves.stage}" if model else curves.stage)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10}):
        figure = Figure(figsize=SIZE_INCHES, layout="tight")
        axes = figure.add_subplot()
        _draw_losses(axes, curves)
        _dress(axes, _unit(curves.stage))
        target = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(target, format="svg", transparent=True, metadata=nothing)
    description = described(curves)
    return _inline(target.getvalue(), name, f"{model}, {description}" if model else description)


def described(curves: Curves) -> str:
    """Return what the plot shows, for those who can't see it."""
    parts = [f"{curves.stage}: {_unit(curves.stage)} over optimiser steps"]
    for name, points in (("train", curves.train), ("dev", curves.dev)):
        if points:
            (first_step, first), (last_step, last) = points[0], points[-1]
            parts.append(f"{name} {first:.3f} at step {first_step} to {last:.3f} at step {last_step}")
    return "; ".join(parts)


def _draw_losses(axes: Axes, curves: Curves) -> None:
    if curves.train:
        axes.plot(*zip(*curves.train, strict=True), label="train", color=TRAIN, linewidth=1.4)
    best = curves.best()
    if best is not None:
        axes.plot(*zip(*curves.dev, strict=True), "o-", label="dev", color=DEV, linewidth=2, markersize=4)
        axes.plot(*best, "o", color=DEV, markersize=10, markerfacecolor="none", markeredgewidth=1.6)
    axes.legend(frameon=False, labelcolor=INK)


def _unit(stage: str) -> str:
    """Return what a stage's loss counts: of ratings it is no likelihood."""
    return "preference loss" if stage == "prefer" else "loss in nats per token"


def _dress(axes: Axes, unit: str) -> None:
    axes.set_xlabel("optimiser steps", color=INK)
    axes.set_ylabel(unit.replace(" in ", ", "), color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.tick_params(colors=INK, length=0)
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.03, y=0.12)


def _inline(svg: str, name: str, description: str) -> str:
    opening, _, rest = svg[svg.index("<svg") :].partition(">")
    found = re.search(r'viewBox="[^"]+"', opening)
    box = found.group() if found else ""
    rest = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", rest, count=1, flags=re.DOTALL)
    rest = re.sub(r"font-family: [^;\"]+", "font-family: inherit", rest)
    # Ids are made unique on the page, where several plots stand.
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", rest).replace("xlink:href", "href")
    for stand_in, variable in VARIABLES.items():
        rest = rest.replace(stand_in, variable)
    return f'<svg {box} role="img" aria-label="{escape(description)}">{rest.strip()}'
