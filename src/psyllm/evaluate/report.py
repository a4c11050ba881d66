"""Findings become files: `report.html`, `metrics.json`, `answers.jsonl`.

In: findings and where model and corpus come from. Out: three files that are
the same bytes for the same input. The page is one file without scripts or
links; times on it are those that the model's manifest names. Definitions of
figures stand in `metrics.toml`, the paper's figures in `paper.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.core.permits import permit_of_model
from psyllm.core.settings import EvaluateSettings, setting_rows
from psyllm.core.stages import Manifest
from psyllm.evaluate.against import (
    CHANGES,
    FEWEST_CONVERSATIONS,
    FEWEST_RATERS,
    Against,
    NotCompared,
    Other,
    Verdict,
)
from psyllm.evaluate.findings import MODEL, NEAREST, PEOPLE, RANDOM, Findings
from psyllm.evaluate.guarding import Judged, count_reasons
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

COLUMN_NAMES = {
    MODEL: ("模型", "model"),
    NEAREST: ("最近的训练回答", "nearest"),
    RANDOM: ("随机训练回答", "random"),
    PEOPLE: ("人工回答", "people"),
}
DIFFERENCES = frozenset({*CHANGES.values(), "reward_margin_nats"})
VERDICTS: dict[Verdict, str] = {
    "helped": "有帮助：好评回答相对差评回答（无评分时：人写的回答）的概率上升，区间不含“没有差别”；没有显出变差的地方。",
    "harmed": "变差了：至少一项变差，区间不含“没有差别”，而没有显出变好的地方。",
    "mixed": "有得有失：既有变好、也有变差，区间都不含“没有差别”。",
    "not_shown": "看不出变好或变差：所看的各项，区间都含“没有差别”，或者没有区间。样本太小时，这不等于没有差别。",
}


class Origin(NamedTuple):
    """Where the figures come from."""

    model: Manifest
    corpus: Manifest
    settings: EvaluateSettings
    curves: list[Curves]
    other: Other | NotCompared | None = None
    seen: Seen = NOTHING_SEEN


def write_report(folder: Path, findings: Findings, origin: Origin) -> None:
    """Write the three files into `folder`."""
    page = render_report(findings, origin)
    write_files(folder, page, metrics_of(findings, origin), answers_of(findings))


def metrics_of(findings: Findings, origin: Origin) -> dict[str, Any]:
    """Return all figures with their definitions, as `metrics.json` holds them."""
    return {
        "model": origin.model.run,
        "corpus": origin.corpus.run,
        "split": origin.settings.split,
        "records": findings.counts._asdict(),
        **said_of_seen(origin.seen),
        "figures": {column: rounded(figures) for column, figures in findings.figures.items()},
        "guard_reasons": {column: count_reasons(judged) for column, judged in findings.judged.items()},
        **_against(findings, origin),
        "definitions": {metric["key"]: metric["definition"] for metric in _metrics(findings)},
        "paper_not_comparable": read_table("paper"),
    }


def answers_of(findings: Findings) -> Iterator[dict[str, Any]]:
    """Yield what was asked and answered, one question at a time, as `answers.jsonl` holds it."""
    for place, (question, drawn) in enumerate(zip(findings.asked, findings.drawn, strict=True)):
        answers: dict[str, Any] = {
            MODEL: {"text": drawn.text, "finish": drawn.finish, "seed": drawn.seed},
            **{column: found[place]._asdict() for column, found in findings.looked_up.items()},
            PEOPLE: {"text": question.references[0]},
        }
        for column, answer in answers.items():
            answer["guard"] = findings.judged[column][place]._asdict()
        yield {
            "id": question.id,
            "prompt": [message._asdict() for message in question.prompt],
            "references": list(question.references),
            "answers": answers,
        }


def render_report(findings: Findings, origin: Origin) -> str:
    """Return the page."""
    columns = [column for column in COLUMN_NAMES if column in findings.figures]
    shown = list(answers_of(findings))[: origin.settings.shown]
    return render(
        "report.html.jinja",
        columns=columns,
        column_names=COLUMN_NAMES,
        groups=grouped(read_metrics(), [findings.figures[column] for column in columns]),
        metrics=_metrics(findings),
        paper=_paper_rows(findings),
        paper_source=read_table("paper"),
        plots=[(curves, loss_plot(curves)) for curves in origin.curves if curves.train or curves.dev],
        reasons=_reason_rows(findings.judged, columns),
        against=_against_rows(findings.against) if findings.against else [],
        compared=findings.against,
        not_compared=origin.other if isinstance(origin.other, NotCompared) else None,
        seen=origin.seen,
        verdicts=VERDICTS,
        fewest=(FEWEST_CONVERSATIONS, FEWEST_RATERS),
        shown=shown,
        counts=findings.counts,
        corpus=origin.corpus,
        model=origin.model,
        permit=permit_rows(permit_of_model(origin.model)),
        split=origin.settings.split,
        bootstrap_samples=origin.settings.bootstrap_samples,
        training_facts=flat(origin.model.details),
        settings=[(name, value) for name, value, _ in setting_rows(origin.settings)],
        parents=[(parent.run, f"{parent.stage} · {parent.content_hash}") for parent in origin.corpus.parents],
    )


def _metrics(findings: Findings) -> list[dict[str, Any]]:
    """Return what defines the figures that were found."""
    return [*read_metrics(), *(read_metrics("against") if findings.against else ())]


def _against(findings: Findings, origin: Origin) -> dict[str, Any]:
    """Return the comparison as `metrics.json` holds it, or why there is none; nothing where none was due."""
    found, other = findings.against, origin.other
    if isinstance(other, NotCompared):
        return {"against": {"model": other.name, "not_compared": other.why}}
    if found is None:
        return {}
    return {
        "against": {
            "model": found.other,
            "verdict": found.verdict,
            "ratings": found.ratings._asdict(),
            "too_few_ratings": found.too_few,
            "ratings_left_out": found.left_out,
            "figures": rounded(found.figures),
        }
    }


def _against_rows(found: Against) -> list[dict[str, Any]]:
    return [
        {**metric, "cell": shown_figure(found.figures[key], metric["decimals"], signed=key in DIFFERENCES)}
        for metric in read_metrics("against")
        if (key := metric["key"]) in found.figures
    ]


def _paper_rows(findings: Findings) -> list[dict[str, Any]]:
    ours = {metric["paper"]: metric for metric in read_metrics() if "paper" in metric}
    rows = []
    for figure in read_table("paper")["figure"]:
        metric = ours[figure["key"]]
        value, _ = shown_figure(findings.figures[MODEL][metric["key"]], 2)
        theirs = [f"{number:.2f}" for number in figure["values"]]
        rows.append({"name": figure["name"], "metric": metric["name"], "ours": value, "theirs": theirs})
    return rows


def _reason_rows(judged: dict[str, list[Judged]], columns: list[str]) -> list[tuple[str, list[int]]]:
    counts = {column: count_reasons(judged[column]) for column in columns}
    reasons = sorted({reason for found in counts.values() for reason in found})
    return [(reason, [counts[column].get(reason, 0) for column in columns]) for reason in reasons]
