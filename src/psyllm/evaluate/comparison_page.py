"""Several models become one page: `report.html`, `metrics.json`, `answers.jsonl`.

In: what was found side by side, and where the models come from. Out: three
files that are the same bytes for the same input; the page is one file without
scripts or links. The paper's own table stands beside ours and is never compared
with it. Perplexity per token is shown, with the warning that it can't be
compared where vocabularies differ.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.permits import BASE, Permit, permit_of_model
from psyllm.core.settings import EvaluateSettings, setting_rows
from psyllm.core.stages import Manifest
from psyllm.evaluate.findings import PEOPLE
from psyllm.evaluate.guarding import count_reasons
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.losses import Curves
from psyllm.evaluate.plots import loss_plot
from psyllm.evaluate.report import (
    HERE,
    flat,
    page,
    read_metrics,
    read_paper,
    rounded,
    said_of_seen,
    shown_figure,
)
from psyllm.evaluate.seen_before import NOTHING_SEEN, Seen
from psyllm.evaluate.side_by_side import SideBySide

NOT_ACROSS = "perplexity_tokens"
TOLD_BY = "bits_per_char"
PERMITTED = {"any": "不限", "non_commercial": "非商业", "research": "仅限研究"}


class Compared(NamedTuple):
    """Where the figures come from; `unchecked` names bases of which nobody can say what they have read."""

    models: Sequence[Manifest]
    corpus: Manifest
    settings: EvaluateSettings
    curves: Mapping[str, list[Curves]]
    unchecked: Sequence[str]
    seen: Seen = NOTHING_SEEN


def write_comparison(folder: Path, found: SideBySide, origin: Compared) -> None:
    """Write the three files into `folder`."""
    (folder / "report.html").write_text(render_comparison(found, origin), "utf-8")
    metrics = json.dumps(metrics_of(found, origin), ensure_ascii=False, indent=1)
    (folder / "metrics.json").write_text(metrics + "\n", "utf-8")
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for answer in answers_of(found):
            file.write(json.dumps(answer, ensure_ascii=False) + "\n")


def metrics_of(found: SideBySide, origin: Compared) -> dict[str, Any]:
    """Return all figures with their definitions, as `metrics.json` holds them."""
    return {
        "models": found.models,
        "corpus": origin.corpus.run,
        "split": origin.settings.split,
        "records": found.counts._asdict(),
        **said_of_seen(origin.seen),
        "figures": {name: _rounded(figures) for name, figures in found.figures.items()},
        "changes_against": found.models[0],
        "changes": {name: _rounded(figures) for name, figures in found.changes.items()},
        "guard_reasons": {name: count_reasons(one.judged) for name, one in found.spoken.items()},
        "not_comparable_across_vocabularies": [NOT_ACROSS],
        "bases_not_checked_for_leaks": list(origin.unchecked),
        "definitions": {metric["key"]: metric["definition"] for metric in compared_metrics(found)},
        "paper_not_comparable": read_paper(),
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
    columns = [*found.models, PEOPLE]
    shown = list(answers_of(found))[: origin.settings.shown]
    return page("comparison.html.jinja").render(
        models=found.models,
        groups=_groups(found, columns),
        changes=_change_rows(found),
        told=[told(name, found.changes[name][TOLD_BY], found.models[0]) for name in found.changes],
        metrics=compared_metrics(found),
        paper=_paper_rows(found),
        paper_source=read_paper(),
        plots=[
            (name, curves, loss_plot(curves))
            for name in found.models
            for curves in origin.curves.get(name, ())
            if curves.train or curves.dev
        ],
        shown=shown,
        counts=found.counts,
        corpus=origin.corpus,
        split=origin.settings.split,
        unchecked=origin.unchecked,
        seen=origin.seen,
        facts={model.run: _facts(model) for model in origin.models},
        bootstrap_samples=origin.settings.bootstrap_samples,
        settings=[(name, value) for name, value, _ in setting_rows(origin.settings)],
        roles={"visitor": "来访者", "counsellor": "咨询师"},
    )


def compared_metrics(found: SideBySide) -> list[dict[str, Any]]:
    """Return the rows of `metrics.toml` and `comparison.toml` that the models have figures for, by group."""
    held = set(found.figures[found.models[0]])
    own: list[dict[str, Any]] = tomllib.loads((HERE / "comparison.toml").read_text("utf-8"))["metric"]
    rows = [metric for metric in (*read_metrics(), *own) if metric["key"] in held]
    groups = list(dict.fromkeys(metric["group"] for metric in rows))
    return sorted(rows, key=lambda metric: groups.index(metric["group"]))


def _groups(found: SideBySide, columns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for metric in compared_metrics(found):
        cells = []
        for column in columns:
            figure = found.figures[column].get(metric["key"])
            cells.append(None if figure is None else shown_figure(figure, metric["decimals"]))
        row = {**metric, "cells": cells, "warned": metric["key"] == NOT_ACROSS}
        groups.setdefault(metric["group"], []).append(row)
    return groups


def _change_rows(found: SideBySide) -> list[dict[str, Any]]:
    rows = []
    for metric in compared_metrics(found):
        figures = [changes.get(metric["key"]) for changes in found.changes.values()]
        cells = [shown_figure(one, metric["decimals"] + 1) for one in figures if one is not None]
        if cells:
            rows.append({**metric, "cells": cells})
    return rows


def told(name: str, change: Interval, first: str) -> dict[str, str]:
    """Return which of two models needs fewer bits a character, or that it is not shown."""
    if change.low is None or change.high is None or change.low <= 0 <= change.high:
        return {"fewer": "", "more": "", "name": name, "first": first}
    fewer, more = (name, first) if change.high < 0 else (first, name)
    return {"fewer": fewer, "more": more, "name": name, "first": first}


def _paper_rows(found: SideBySide) -> list[dict[str, Any]]:
    ours = {metric["paper"]: metric for metric in read_metrics() if "paper" in metric}
    alike = {
        "distinct_1": "distinct_1_chars_equal_size_percent",
        "distinct_2": "distinct_2_chars_equal_size_percent",
    }
    named = {metric["key"]: metric["name"] for metric in compared_metrics(found)}
    rows = []
    for figure in read_paper()["figure"]:
        key = alike.get(figure["key"], ours[figure["key"]]["key"])
        values = [shown_figure(found.figures[name][key], 2)[0] for name in found.models]
        theirs = [f"{number:.2f}" for number in figure["values"]]
        rows.append({"name": figure["name"], "metric": named[key], "ours": values, "theirs": theirs})
    return rows


def _facts(model: Manifest) -> list[tuple[str, str]]:
    permit = permit_of_model(model)
    bases = [parent.run for parent in model.parents if parent.stage == BASE]
    corpora = [f"{parent.run} · {parent.content_hash}" for parent in model.parents if parent.stage != BASE]
    return [
        ("内容哈希", model.content_hash),
        ("基座模型", "、".join(bases) or "无（从零训练）"),
        ("训练语料", "、".join(corpora)),
        ("使用条件", _permitted(permit)),
        ("训练用时", f"{model.seconds:,.1f} 秒"),
        ("完成于", model.finished_at),
        *sorted((name, f"{count:,}") for name, count in model.counts.items()),
        *flat(model.details.get("stages", {}), "stages."),
    ]


def _permitted(permit: Permit) -> str:
    until = f"，协议 {permit.expires} 到期" if permit.expires else ""
    return f"{PERMITTED.get(permit.uses, '未知')}{until}{'，相同方式共享' if permit.share_alike else ''}"


def _rounded(figures: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    return {key: rounded(figure) for key, figure in figures.items()}
