"""`psyllm corpus`: splitting, and the review of the bundled texts by a professional."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from psyllm.cli import exporting
from psyllm.cli.making import corpus as split_corpus
from psyllm.cli.options import DATA, Config, Data, Preset, Set, hands_on

app = typer.Typer(
    help="3 Records are split without leaks and described by a card: data/3_corpus.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option("--out", help="The .xlsx file to write.")]
Again = Annotated[
    bool, typer.Option("--again", help="Also what somebody has accepted, changed or rejected already.")
]
SheetPath = Annotated[Path, typer.Argument(help="The filled-in .xlsx file.")]
Project = Annotated[
    bool, typer.Option("--project", help="Keep the decisions in the package, to be committed with it.")
]

Measured = Annotated[
    Path, typer.Argument(help="What is measured on: Parquet of records, JSON, JSON Lines or one text a line.")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="A model instead of the corpus in use: a run of 4_models, current, or embedded."
    ),
]
Belongs = Annotated[
    str,
    typer.Option(
        "--name", help="What the file belongs to, for example psyqa; else its path tells, if it can."
    ),
]
LeastShare = Annotated[
    float, typer.Option("--share", min=0, max=1, help="From which share of its runs an item counts as known.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PrintsOut = Annotated[
    Path, typer.Option("--out", help="The model's folder; they are written to fingerprints/ in it.")
]
SampleBits = Annotated[
    int,
    typer.Option(
        "--sample-bits", min=0, max=8, help="One run in two to the power of this is kept: 4 is 1 in 16."
    ),
]


@app.callback()
def corpus(
    context: typer.Context,
    data: Data = DATA,
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """3 Records are split without leaks and described by a card: data/3_corpus."""
    if not hands_on(context):
        split_corpus(data, preset, config, set_)


app.command("export")(exporting.export)


@app.command("review-sheet")
def review_sheet(data: Data = DATA, out: Out = Path("review.xlsx"), again: Again = False) -> None:
    """Write the bundled texts as a spreadsheet for a psychologist to review (guide: docs/review.md)."""
    from psyllm.core.errors import BadInput
    from psyllm.core.reviews import read_reviews, reviewed
    from psyllm.core.starter import review_places, written_records
    from psyllm.corpus.review_sheet import write_sheet

    if out.exists():
        message = f"{out} is there already; somebody's decisions may be in it"
        raise BadInput(message, "take it in first (psyllm corpus review-take FILE), or choose another --out")
    # Whoever looks at everything again sees what was rejected, too.
    reviews = read_reviews(review_places(data))
    records = list(reviewed(written_records(), reviews, rejected_too=again))
    waiting = [record for record in records if again or not record.reviewed_by]
    if not waiting:
        typer.echo(f"all {len(records)} bundled texts are reviewed; a sheet of all of them: add --again")
        return
    sheet = write_sheet(waiting, out)
    hours = sheet.reading.total_seconds() / 3600
    typer.echo(
        f"{out}: {sheet.records} of {len(records)} texts, {sheet.characters:,} characters, "
        f"about {hours:.1f} hours of reading; the riskiest first"
    )
    typer.echo(f"next: fill it in, then run: psyllm corpus review-take {out} --data {data}")


@app.command("review-take")
def review_take(sheet: SheetPath, data: Data = DATA, project: Project = False) -> None:
    """Take in a filled-in sheet: accepted texts carry the reviewer's name, rejected ones are shown no more."""
    from psyllm.core.reviews import read_reviews, reviewed, reviews_path
    from psyllm.core.starter import STARTER_REVIEWS, review_places, written_records
    from psyllm.corpus.review_take import take_sheet

    into = STARTER_REVIEWS if project else reviews_path(data)
    earlier = read_reviews(review_places(data))
    # What was rejected once may be accepted now.
    records = reviewed(written_records(), earlier, rejected_too=True)
    taken = take_sheet(sheet, records, earlier, into)
    counts = taken.decisions
    typer.echo(
        f"{into}: {counts['accept']} accepted, {counts['change']} changed, {counts['reject']} rejected; "
        f"{taken.known} known before, {taken.still_open} still open"
    )
    if taken.changed_since:
        typer.echo(
            f"left out, because the words have changed since the sheet was made: {_some(taken.changed_since)}; "
            "make a new sheet for these: psyllm corpus review-sheet --again --out again.xlsx"
        )
    if taken.overtaken:
        typer.echo(
            f"left out, because another decision came in later: {_some(taken.overtaken)}; "
            "to decide so again, write a new date into the sheet and take it in"
        )
    typer.echo(
        f"next: psyllm collect starter --data {data}, then clean, corpus and train; restart psyllm serve"
    )


@app.command("leak-check")
def leak_check(
    path: Measured,
    data: Data = DATA,
    model: Model = None,
    name: Belongs = "",
    share: LeastShare = 0.1,
    json: Json = False,
) -> None:
    """How much of the evaluation file PATH was trained on, by fingerprints; what is unknown is said."""
    from psyllm.cli.show import progress_bars
    from psyllm.core.stages import Stage, need_current
    from psyllm.corpus.leak_check import check, origins_of_corpus, origins_of_model

    if model is None:
        origins = origins_of_corpus(*need_current(data, Stage.CORPUS))
    else:
        origins = origins_of_model(model, data)
    with progress_bars():
        report = check(path, origins, share, name)
    if json:
        import orjson

        told = {
            **report._asdict(),
            "sources": [leak._asdict() for leak in report.sources],
            "verdict": report.verdict,
        }
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(
        f"{path}: {report.items:,} items, {report.with_runs:,} of them long enough to be compared by runs"
    )
    for leak in report.sources:
        typer.echo(
            f"  {leak.source}: {leak.sharing:,} share {share:.0%} of their runs, {leak.same_opening:,} open the same, "
            f"{leak.same_beginning:,} begin alike{'; ' + leak.derivation if leak.derivation else ''}"
        )
    typer.echo(report.verdict)


@app.command("fingerprints")
def fingerprints(out: PrintsOut, data: Data = DATA, sample_bits: SampleBits = 4) -> None:
    """Write hashes of what the corpus in use trains on, to go with a model where the corpus does not.

    Whoever holds them can test whether a sentence was in the text: only of published texts, never of
    visitors' words.
    """
    from psyllm.cli.show import progress_bars
    from psyllm.core.stages import Stage, need_current
    from psyllm.corpus.fingerprints import write_sample

    with progress_bars():
        sizes = write_sample(*need_current(data, Stage.CORPUS), out, sample_bits)
    for name, size in sizes.items():
        typer.echo(f"{out}/fingerprints/{name}: {size:,} bytes")


def _some(keys: Sequence[str]) -> str:
    return f"{len(keys)} ({', '.join(keys[:5])}{' …' if len(keys) > 5 else ''})"
