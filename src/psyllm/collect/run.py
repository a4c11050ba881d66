"""The door of `collect`: one source of others becomes a run of `1_collected`.

A file, folder or tar comes in (nothing given means the starter corpus), and
records with source and licence go out, as they were found. The run is named
after the source. It is all or nothing: what breaks half-way leaves the stage as
it was. Mending and dropping is `clean`'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psyllm.collect.formats import recognise
from psyllm.collect.reading import content_hash
from psyllm.collect.source import Source
from psyllm.core.errors import BadInput, EmptyCorpus, SourceExists
from psyllm.core.progress import track
from psyllm.core.records import Record, write_records
from psyllm.core.settings import CollectSettings
from psyllm.core.stages import Manifest, Stage, StageRun, fingerprint, read_manifest, stage_folder, writing
from psyllm.core.starter import STARTER, review_places, starter_records, written_records


def run(settings: CollectSettings, data: Path) -> Manifest:
    """Import one source; an import that is there already is left as it is.

    Raises:
        BadInput: the input can't be used; nothing was imported.
        SourceExists: a source of this name holds something else.
        EmptyCorpus: the input holds no record.
        DiskFull: no space is left; nothing was imported.
    """
    content = _content(settings, data)
    mark = fingerprint(Stage.COLLECTED, [], content, ["collect", "core"])
    earlier = read_manifest(stage_folder(data, Stage.COLLECTED) / settings.name)
    if earlier is not None:
        if earlier.fingerprint == mark and _is_whole(earlier, data):
            return earlier
        _refuse_other_content(earlier, content, settings)
    source = Source(settings.name, settings.licence, settings.may_train, settings.may_show, data=data)
    form, records = _records(settings, source, data)
    taken = track(itertools.islice(records, settings.limit), f"collect {settings.name}", settings.limit)
    stage_run = StageRun(
        data,
        Stage.COLLECTED,
        settings.name,
        mark,
        (),
        settings.model_dump(mode="json", exclude={"path", "crawl"}),
    )
    with writing(stage_run, beside=True) as stage_run:
        try:
            count = write_records(taken, stage_run.folder)
        except BadInput as error:
            raise _nothing_imported(error) from None
        if count == 0:
            message = f"{settings.path or STARTER} holds no record that can be taken in"
            raise EmptyCorpus(message, "check that it is the file you mean, then import again")
        return stage_run.finish(
            counts={"records": count}, drops=source.left_out, details={"format": form, "content": content}
        )


def _content(settings: CollectSettings, data: Path) -> dict[str, Any]:
    """Return what tells one import from another: the bytes, and what is said of them."""
    said = settings.model_dump(mode="json", exclude={"path", "replace", "crawl"})
    if settings.path is not None:
        return {**said, "sha256": content_hash(settings.path), "bundled": False}
    reviews = [content_hash(place) for place in review_places(data) if place.exists()]
    return {**said, "sha256": content_hash(STARTER), "bundled": True, "reviews": reviews}


def _records(settings: CollectSettings, source: Source, data: Path) -> tuple[str, Iterator[Record]]:
    if settings.path is None:
        kept = list(starter_records(source=settings.name, data=data))
        rejected = sum(1 for _ in written_records()) - len(kept)
        if rejected:
            source.left_out["rejected_in_review"] = rejected
        return "starter corpus", iter(kept)
    try:
        form = recognise(settings.path)
    except BadInput as error:
        raise _nothing_imported(error) from None
    return form.name, form.read(settings.path, source)


def _nothing_imported(error: BadInput) -> BadInput:
    message = f"{error.message}; nothing was imported"
    return type(error)(message, error.next_step)


def _is_whole(manifest: Manifest, data: Path) -> bool:
    folder = stage_folder(data, Stage.COLLECTED) / manifest.run
    return all((folder / name).is_file() for name in manifest.files)


def _refuse_other_content(earlier: Manifest, content: dict[str, Any], settings: CollectSettings) -> None:
    held = earlier.details.get("content", {})
    others = [name for name in content if held.get(name) != content[name]]
    if not others or settings.replace:
        return
    what = "other content" if "sha256" in others else f"the same content with another {', '.join(others)}"
    message = f"the source {settings.name} holds {what} already ({earlier.counts['records']:,} records)"
    raise SourceExists(message, "choose another --name, or replace it: add --replace to the same command")
