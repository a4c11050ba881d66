"""`psyllm clean`: cleaning, and the sample of what was cleaned that people review at the desk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from psyllm.cli.making import clean as clean_all
from psyllm.cli.options import DATA, Config, Data, Preset, Set, hands_on

app = typer.Typer(
    help="2 Records are mended or dropped with a reason: data/2_cleaned.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

SIZE = 200
SEED = 20261125
Size = Annotated[int, typer.Option("--size", min=1, help="About how many records are drawn.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the drawing; the same draws the same.")]
Status = Annotated[bool, typer.Option("--status", help="Draw nothing; print coverage and agreement.")]


@app.callback()
def clean(
    context: typer.Context,
    data: Data = DATA,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """2 Records are mended or dropped with a reason: data/2_cleaned."""
    if not hands_on(context):
        clean_all(data, preset, config, set_)


@app.command("review")
def review(data: Data = DATA, size: Size = SIZE, seed: Seed = SEED, status: Status = False) -> None:
    """Draw a sample of the cleaned records for two people to review at the desk."""
    if status:
        _say_status(data)
        return
    from psyllm.casebook.admin import decided_items
    from psyllm.clean.draw import draw
    from psyllm.cli.show import progress_bars
    from psyllm.core.review_sample import sample_path

    decided = decided_items(data)
    with progress_bars():
        sample = draw(data, size, seed, decided)
    dropped = sum(one.stratum.startswith("dropped") for one in sample.items)
    risky = sum(one.risk > 0 for one in sample.items)
    known = sum(one.item in decided for one in sample.items)
    typer.echo(
        f"{sample_path(data)}: {len(sample.items):,} records of {sample.run} in {len(sample.strata):,} strata; "
        f"{dropped:,} of them were dropped, {risky:,} are dangerous or of minors, {known:,} are decided on"
    )
    typer.echo(
        f"next: psyllm serve --data {data}; two counsellors review at /desk/review, a supervisor settles"
    )


def _say_status(data: Path) -> None:
    from psyllm.core.review_sample import read_sample
    from psyllm.feedback.reviews import present_figures

    if read_sample(data) is None:
        typer.echo("no sample is drawn yet; run: psyllm clean review")
        return
    found = present_figures(data)
    settled = sum(row["settled"] for row in found["coverage"])
    typer.echo(f"sample of {found['run']}: {settled:,} of {found['items']:,} records settled")
    typer.echo(f"  reviewers {found['reviewers']}, waiting for a supervisor {found['disputed']:,}")
    typer.echo(f"  Krippendorff's alpha {_shown(found['alpha'])}")
    typer.echo(f"  equal blind decisions {_shown(found['agreement'])}")
    for name, estimate in found["estimates"].items():
        typer.echo(f"  {name.replace('_', ' ')} {_shown(estimate)}")
    for row in found["coverage"]:
        typer.echo(
            f"  {row['stratum']}: {row['settled']:,} of {row['drawn']:,} settled, {row['population']:,} rows"
        )
    typer.echo(f"next, to apply what is settled: psyllm feedback --data {data}, then clean and corpus")


def _shown(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return f"unknown (of {found['of']:,})"
    ends = "" if found["low"] is None else f" [{found['low']:.3f}, {found['high']:.3f}]"
    return f"{found['value']:.3f}{ends} (of {found['of']:,})"
