"""`psyllm forget`: what somebody wants out of the data goes, and never comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli.options import DATA, Data
from psyllm.cli.show import progress_bars

if TYPE_CHECKING:
    from psyllm.core.forgetting import Forgotten

Url = Annotated[list[str] | None, typer.Option("--url", help="Address of a page; repeatable.")]
Author = Annotated[
    list[str] | None, typer.Option("--author", help="An author's hash as records carry it; repeatable.")
]
Content = Annotated[list[str] | None, typer.Option("--content", help="A record's content hash; repeatable.")]
Containing = Annotated[
    Path | None,
    typer.Option(
        "--containing", help="A file with a passage: lists the content hashes of records that hold it."
    ),
]
FEWEST_CHARS = 8  # a shorter passage stands in too many records to mean one


def forget(
    data: Data = DATA,
    url: Url = None,
    author: Author = None,
    content: Content = None,
    containing: Containing = None,
) -> None:
    """Take texts out of every stage by address, author's hash or content hash, and leave a tombstone."""
    from psyllm.core.errors import BadInput

    if containing is not None:
        _list(data, containing)
        return
    if not (url or author or content):
        raise BadInput(
            "nothing to forget was named",
            "name it with --url, --author or --content; to find a content hash: psyllm forget --containing FILE",
        )
    _need_hashes(author or (), 32, "--author")
    _need_hashes(content or (), 64, "--content")
    from psyllm.casebook.admin import erase_reviews
    from psyllm.collect.crawl.forgetting import forget_pages
    from psyllm.core.forgetting import forget as take_out
    from psyllm.core.forgetting import marks_of
    from psyllm.core.tombstones import append_tombstones
    from psyllm.corpus.refresh import refresh

    with progress_bars():
        # Reviewers may have written its words anew.
        done = take_out(
            data,
            marks_of(url or (), author or (), content or ()),
            lambda ids: erase_reviews(data, ids),
            refresh,
        )
        asked = forget_pages(data, {*done.whole.urls, *(url or ())}, done.whole.passages)
        append_tombstones(data, marks_of(sorted(asked.urls), (), ()))
        partly = forget_pages(data, done.partly.urls, done.partly.passages)
    _say(done)
    for segment in sorted({*asked.growing, *partly.growing}):
        typer.echo(f"{segment} is still being written: end the crawl, then run the same command again")
    if asked.pages or partly.pages:
        typer.echo(f"raw: {asked.pages + partly.pages:,} fetched pages overwritten")


def _need_hashes(given: Sequence[str], characters: int, option: str) -> None:
    from psyllm.core.errors import BadInput

    for one in given:
        if len(one) != characters or set(one) - set("0123456789abcdef"):
            message = f"{option} takes a hash of {characters} hexadecimal digits"
            raise BadInput(message, "copy it from the record; or find it: psyllm forget --containing FILE")


def _list(data: Path, passage: Path) -> None:
    from psyllm.core.errors import BadInput, MissingFile, WrongEncoding
    from psyllm.core.forgetting import containing

    if not passage.is_file():
        message = f"there is no file {passage}"
        raise MissingFile(message, "write the passage to a file first, so that no shell remembers it")
    try:
        text = passage.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        message = f"{passage} is not UTF-8"
        raise WrongEncoding(message, "save it as UTF-8, then run the command again") from None
    if len("".join(text.split())) < FEWEST_CHARS:
        message = f"the passage in {passage} is shorter than {FEWEST_CHARS} characters"
        raise BadInput(message, "give a longer passage, so that it means one text")
    found = sorted(set(containing(data, text)))
    for key, content in found:
        typer.echo(f"{content}  {key}")
    if not found:
        typer.echo("no record holds this passage")
        return
    named = " ".join(f"--content {content}" for content in sorted({content for _, content in found}))
    typer.echo(f"next: psyllm forget --data {data} {named}")


def _say(done: Forgotten) -> None:
    if not done.rows:
        typer.echo("no record of any stage is meant; the tombstone keeps it out from now on")
    for run, rows in sorted(done.rows.items()):
        typer.echo(f"{run}: {rows:,} rows taken out or changed")
    for name in done.removed:
        typer.echo(f"{name}: removed, for it showed texts of a changed corpus; make it again")
    for model in done.models:
        typer.echo(
            f"4_models/{model} was trained on it and can't forget: train again, then serve the new one"
        )
    typer.echo("files that you imported from, and backups, lie outside: take it out there, too")
