"""What both pages of this room are made with: the files beside them, tables of definitions, figures in words.

In: figures, facts, rows of a table. Out: text as the pages and `metrics.json` hold
it, the same for the same input. What a page says is `report.py`'s and
`comparison_page.py`'s; the templates share `page.html.jinja`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from psyllm.core.permits import Permit
from psyllm.evaluate.intervals import Interval
from psyllm.evaluate.measure import Figures

HERE = Path(__file__).parent
DECIMALS_KEPT = 6
ROLES = {"visitor": "来访者", "counsellor": "咨询师"}
USES = {"any": "不限", "non_commercial": "非商业", "research": "仅限研究", "unknown": "未知"}


def render(template: str, **content: object) -> str:
    """Return a page made of one of this room's templates, which escape all that they are given and miss nothing silently."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(roles=ROLES, **content)


def write_files(
    folder: Path, page: str, metrics: Mapping[str, Any], answers: Iterable[Mapping[str, Any]]
) -> None:
    """Write `report.html`, `metrics.json` and `answers.jsonl`."""
    (folder / "report.html").write_text(page, "utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics, ensure_ascii=False, indent=1) + "\n", "utf-8")
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)


def read_metrics(name: str = "metrics") -> list[dict[str, Any]]:
    """Return the rows of `metrics.toml`, or of another table of figures."""
    rows: list[dict[str, Any]] = read_table(name)["metric"]
    return rows


def read_table(name: str) -> dict[str, Any]:
    """Return one of the tables beside this file; the paper's own figures are `paper`."""
    return tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))


def shown_figure(figure: Interval, decimals: int, *, signed: bool = False) -> tuple[str, str]:
    """Return a figure and its interval as the pages write them, a difference `signed`; the interval may be empty."""
    form = f"{'+' if signed else ''},.{decimals}f"
    low, high = (None if end is None else format(end, form) for end in (figure.low, figure.high))
    return format(figure.value, form), "" if low is None or high is None else f"{low} – {high}"


def rounded(figures: Figures) -> dict[str, dict[str, float | None]]:
    """Return figures as `metrics.json` holds them."""
    return {key: _rounded(figure) for key, figure in figures.items()}


def _rounded(figure: Interval) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, DECIMALS_KEPT)
        for name, value in figure._asdict().items()
    }


def grouped(metrics: Iterable[dict[str, Any]], columns: Sequence[Figures]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a table by their group: each metric with a cell a column, None where it has no such figure."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for metric in metrics:
        figures = (column.get(metric["key"]) for column in columns)
        cells = [None if one is None else shown_figure(one, metric["decimals"]) for one in figures]
        groups.setdefault(metric["group"], []).append({**metric, "cells": cells})
    return groups


def permit_rows(permit: Permit) -> list[tuple[str, str]]:
    """Return what a model may be used for, as rows of a name and a value."""
    return [
        ("用途", USES[permit.uses]),
        ("协议到期", permit.expires or "无"),
        ("相同方式共享", "是" if permit.share_alike else "否"),
    ]


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested facts as rows of a name with dots and a value."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)))
    return rows
