"""`psyllm forget`: what somebody wants out of the data goes, and never comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyllm.cli.options import DATA, Data
from psyllm.cli.show import progress_bars

if TYPE_CHECKING:
    from psyllm.collect.crawl.forgetting import ForgottenPages
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
Site = Annotated[
    str | None, typer.Option("--site", help="With --author-id-file: the site's name, for example zhihu.")
]
AuthorIds = Annotated[
    Path | None,
    typer.Option(
        "--author-id-file",
        help="A file with what the site calls an author (the id in the address, the name), one a line.",
    ),
]
FEWEST_CHARS = 8  # a shorter passage stands in too many records to mean one


def forget(
    data: Data = DATA,
    url: Url = None,
    author: Author = None,
    content: Content = None,
    containing: Containing = None,
    site: Site = None,
    author_id_file: AuthorIds = None,
) -> None:
    """Take texts out of every stage by address, author or content hash, and leave a tombstone."""
    from psyllm.core.errors import BadInput

    if containing is not None:
        _list(data, containing)
        return
    authors = [*(author or ()), *_hashes_of(data, site, author_id_file)]
    if not (url or authors or content):
        raise BadInput(
            "nothing to forget was named",
            "name it with --url, --author, --author-id-file or --content;"
            " to find a content hash: psyllm forget --containing FILE",
        )
    _need_hashes(authors, 32, "--author")
    _need_hashes(content or (), 64, "--content")
    from psyllm.casebook.admin import erase_reviews, need_casebook
    from psyllm.collect.crawl.forgetting import AtPages
    from psyllm.core.data_folder import need_data_folder
    from psyllm.core.forgetting import forget as take_out
    from psyllm.core.forgetting import marks_of
    from psyllm.corpus.refresh import refresh

    need_data_folder(data)
    need_casebook(data)
    pages = AtPages(data, url or (), authors)
    with progress_bars():
        # Reviewers may have written its words anew.
        done = take_out(
            data,
            [*marks_of(url or (), authors, content or ()), *pages.marks()],
            lambda ids: erase_reviews(data, ids),
            refresh,
            pages.overwrite,
            pages.means,
        )
    _say(done, pages.done)
    _say_what_goes_on(data, pages.done)
    if pages.lacks_key:
        typer.echo(
            "there is no authors' key: fetched pages of which no record was made yet could not be searched for"
            " the author; put the key there with which they were fetched, then run the same command again"
        )


def _say_what_goes_on(data: Path, pages: ForgottenPages) -> None:
    from psyllm.collect.crawl.noted import running_crawls

    crawls = running_crawls(data)
    for source in crawls:
        typer.echo(
            f"the crawl of {source} is running: its workers here ask for nothing of it any more, and pages"
            " under way go when its records are made; for workers elsewhere, run this command there, too"
        )
    for segment in pages.growing:
        if segment.partition("/")[0] in crawls:
            continue
        typer.echo(f"{segment} is still being written: end the crawl, then run the same command again")


def _need_hashes(given: Sequence[str], characters: int, option: str) -> None:
    from psyllm.core.errors import BadInput

    for one in given:
        if len(one) != characters or set(one) - set("0123456789abcdef"):
            message = f"{option} takes a hash of {characters} hexadecimal digits"
            raise BadInput(message, "copy it from the record; or find it: psyllm forget --containing FILE")


def _hashes_of(data: Path, site: str | None, file: Path | None) -> list[str]:
    """Return the keyed hashes of the authors whose ids stand in a file."""
    from psyllm.collect.sites.authors import Authors, key_place
    from psyllm.collect.sites.choose import SITES
    from psyllm.core.errors import BadInput, MissingFile

    if site is None and file is None:
        return []
    if site is None or file is None:
        message = "an author is named by a site and a file with the id: one of the two is missing"
        raise BadInput(message, "name both: psyllm forget --site SITE --author-id-file FILE")
    if site not in SITES:
        raise BadInput(
            "--site names none of the sites with authors", f"name one of {', '.join(sorted(SITES))}"
        )
    ids = [line.strip() for line in _text_of(file, "the id").splitlines() if line.strip()]
    if not key_place().exists():  # a new key would give hashes that no record has
        message = f"there is no authors' key at {key_place()}"
        raise MissingFile(message, "put the key there with which the site was collected")
    hashes = Authors.from_key_file(data)
    found = [hashes.hash(site, one) for one in ids]
    if not found or "" in found:
        message = f"{file} names {len(found) - found.count('')} authors on {len(found)} lines"
        raise BadInput(message, "write one author's id or name a line, as the site gives it; no name for all")
    return found


def _text_of(file: Path, what: str) -> str:
    from psyllm.core.errors import MissingFile, WrongEncoding

    if not file.is_file():
        message = f"there is no file {file}"
        raise MissingFile(message, f"write {what} to a file first, so that no shell remembers it")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        message = f"{file} is not UTF-8"
        raise WrongEncoding(message, "save it as UTF-8, then run the command again") from None


def _list(data: Path, passage: Path) -> None:
    from psyllm.core.errors import BadInput
    from psyllm.core.forgetting import containing

    text = _text_of(passage, "the passage")
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


def _say(done: Forgotten, pages: ForgottenPages) -> None:
    if not (done.rows or pages.pages or pages.growing):
        typer.echo(
            "NOTHING WAS FOUND: no record of any stage and no fetched page is what you named. "
            "A tombstone for it stands; but look whether you named it right: psyllm forget --containing FILE"
        )
    for run, rows in sorted(done.rows.items()):
        typer.echo(f"{run}: {rows:,} rows taken out or changed")
    if pages.pages:
        typer.echo(f"raw: {pages.pages:,} fetched pages overwritten")
    if pages.damaged:
        typer.echo(f"raw: {pages.damaged:,} damaged pages, which may hold anything, overwritten")
    for name in done.removed:
        typer.echo(f"{name}: removed, for it showed texts of a changed corpus; make it again")
    for name in done.beside:
        typer.echo(
            f"{name}: other files lie there and stay; what was made of the texts there is to be deleted, too"
        )
    if done.unreadable:
        typer.echo(
            f"6_feedback/reviews: {done.unreadable:,} lines that can't be read removed; write them again: psyllm feedback"
        )
    for model in done.models:
        typer.echo(
            f"4_models/{model} was trained on it and can't forget: train again, then serve the new one"
        )
    if done.rows:
        typer.echo("a running psyllm serve still shows what it read when it began: start it again")
    typer.echo("files that you imported from, and backups, lie outside: take it out there, too")
