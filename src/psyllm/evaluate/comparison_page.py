"""Several models become one page: `report.html`, `metrics.json`, `answers.jsonl`.

In: what was found side by side, and where the models come from. Out: three
files that are the same bytes for the same input; the page is one file without
scripts or links. The paper's own table stands beside ours and is never compared
with it. Perplexity per token is shown, with the warning that it can't be
compared where vocabularies differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.permits import BASE, permit_of_model
from psyllm.core.settings import EvaluateSettings, setting_rows
from psyllm.core.stages import Manifest
from psyllm.evaluate.findings import PEOPLE
from psyllm.evaluate.guarding import count_reasons
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.losses import Curves
from psyllm.evaluate.page import (
    flat,
    grouped,
    permit_rows,
    read_metrics,
    read_table,
    render,
    rounded,
    shown_figure,
    write_files,
)
from psyllm.evaluate.plots import loss_plot
from psyllm.evaluate.seen_before import NOTHING_SEEN, Seen, said_of_seen
from psyllm.evaluate.side_by_side import SideBySide

NOT_ACROSS = "perplexity_tokens"
TOLD_BY = "bits_per_char"
# The paper's Distinct is held beside that of equally many characters, the only one comparable between models.
EQUAL_SIZE = {
    "distinct_1": "distinct_1_chars_equal_size_percent",
    "distinct_2": "distinct_2_chars_equal_size_percent",
}


class Compared(NamedTuple):
    """Where the figures come from."""

    models: Sequence[Manifest]
    corpus: Manifest
    settings: EvaluateSettings
    curves: Mapping[str, list[Curves]]
    seen: Seen = NOTHING_SEEN


def write_comparison(folder: Path, found: SideBySide, origin: Compared) -> None:
    """Write the three files into `folder`."""
    page = render_comparison(found, origin)
    write_files(folder, page, metrics_of(found, origin), answers_of(found))


def metrics_of(found: SideBySide, origin: Compared) -> dict[str, Any]:
    """Return all figures with their definitions, as `metrics.json` holds them."""
    return {
        "models": found.models,
        "corpus": origin.corpus.run,
        "split": origin.settings.split,
        "records": found.counts._asdict(),
        **said_of_seen(origin.seen),
        "figures": {name: rounded(figures) for name, figures in found.figures.items()},
        "changes_against": found.models[0],
        "changes": {name: rounded(figures) for name, figures in found.changes.items()},
        "guard_reasons": {name: count_reasons(one.judged) for name, one in found.spoken.items()},
        "not_comparable_across_vocabularies": [NOT_ACROSS],
        "definitions": {metric["key"]: metric["definition"] for metric in compared_metrics(found)},
        "paper_not_comparable": read_table("paper"),
    }


def answers_of(found: SideBySide) -> Iterator[dict[str, Any]]:
    """Yield what was asked and what each model answered, one question at a time."""
    for place, question in enumerate(found.asked):
        answers: dict[str, Any] = {
            name: {**one.drawn[place]._asdict(), "guard": one.judged[place]._asdict()}
            for name, one in found.spoken.items()
        }
        yield {
            "id": question.id,
            "prompt": [message._asdict() for message in question.prompt],
            "references": list(question.references),
            "answers": answers,
            "reference_guard": found.people[place]._asdict(),
        }


def render_comparison(found: SideBySide, origin: Compared) -> str:
    """Return the page."""
    metrics = compared_metrics(found)
    warned = [{**metric, "warned": metric["key"] == NOT_ACROSS} for metric in metrics]
    shown = list(answers_of(found))[: origin.settings.shown]
    return render(
        "comparison.html.jinja",
        models=found.models,
        groups=grouped(warned, [found.figures[column] for column in (*found.models, PEOPLE)]),
        changes=_change_rows(found),
        told=[told(name, found.changes[name][TOLD_BY], found.models[0]) for name in found.changes],
        metrics=metrics,
        paper=_paper_rows(found),
        paper_source=read_table("paper"),
        plots=[
            (name, curves, loss_plot(curves, name))
            for name in found.models
            for curves in origin.curves.get(name, ())
            if curves.train or curves.dev
        ],
        shown=shown,
        counts=found.counts,
        corpus=origin.corpus,
        split=origin.settings.split,
        seen=origin.seen,
        facts={model.run: _facts(model) for model in origin.models},
        bootstrap_samples=origin.settings.bootstrap_samples,
        settings=[(name, value) for name, value, _ in setting_rows(origin.settings)],
    )


def compared_metrics(found: SideBySide) -> list[dict[str, Any]]:
    """Return the rows of `metrics.toml` and `comparison.toml` that the models have figures for, by group."""
    held = set(found.figures[found.models[0]])
    rows = [metric for metric in (*read_metrics(), *read_metrics("comparison")) if metric["key"] in held]
    groups = list(dict.fromkeys(metric["group"] for metric in rows))
    return sorted(rows, key=lambda metric: groups.index(metric["group"]))


def _change_rows(found: SideBySide) -> list[dict[str, Any]]:
    compared = next(iter(found.changes.values()))  # all models have the same figures
    return [
        {
            **metric,
            "cells": [
                shown_figure(one[metric["key"]], metric["decimals"] + 1, signed=True)
                for one in found.changes.values()
            ],
        }
        for metric in compared_metrics(found)
        if metric["key"] in compared
    ]


class Told(NamedTuple):
    """Which of two models needs `fewer` bits a character, both empty where no interval shows it."""

    name: str
    first: str
    fewer: str
    more: str
    has_interval: bool


def told(name: str, change: Interval, first: str) -> Told:
    """Return what the interval of the change says of a model and the first one."""
    if change.low is None or change.high is None:
        return Told(name, first, "", "", has_interval=False)
    if change.low <= 0 <= change.high:
        return Told(name, first, "", "", has_interval=True)
    fewer, more = (name, first) if change.high < 0 else (first, name)
    return Told(name, first, fewer, more, has_interval=True)


def _paper_rows(found: SideBySide) -> list[dict[str, Any]]:
    ours = {metric["paper"]: metric for metric in read_metrics() if "paper" in metric}
    named = {metric["key"]: metric["name"] for metric in compared_metrics(found)}
    rows = []
    for figure in read_table("paper")["figure"]:
        key = EQUAL_SIZE.get(figure["key"], ours[figure["key"]]["key"])
        values = [shown_figure(found.figures[name][key], 2)[0] for name in found.models]
        theirs = [f"{number:.2f}" for number in figure["values"]]
        rows.append({"name": figure["name"], "metric": named[key], "ours": values, "theirs": theirs})
    return rows


def _facts(model: Manifest) -> list[tuple[str, str]]:
    bases = [parent.run for parent in model.parents if parent.stage == BASE]
    corpora = [f"{parent.run} · {parent.content_hash}" for parent in model.parents if parent.stage != BASE]
    return [
        ("内容哈希", model.content_hash),
        ("基座模型", "、".join(bases) or "无（从零训练）"),
        ("训练语料", "、".join(corpora)),
        *permit_rows(permit_of_model(model)),
        ("训练用时", f"{model.seconds:,.1f} 秒"),
        ("完成于", model.finished_at),
        *sorted((name, f"{count:,}") for name, count in model.counts.items()),
        *flat(model.details.get("stages", {}), "stages."),
    ]
