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

from psyllm.collect.encodings import Decoding
from psyllm.collect.formats import recognise
from psyllm.collect.reading import content_hash
from psyllm.collect.sites.choose import adapters, thread_key
from psyllm.collect.source import Source
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import BadInput, BadSetting, EmptyCorpus, LostRecords, SourceExists
from psyllm.core.progress import track
from psyllm.core.records import Record, write_records
from psyllm.core.stages import Manifest, Stage, StageRun, fingerprint, read_manifest, stage_folder, writing
from psyllm.core.starter import STARTER, review_places, starter_records, written_records
from psyllm.core.tombstones import FORGOTTEN, read_tombstones

# Mostly not said; part of what tells two imports apart where it is.
_SAID_IF_SAID = {"encoding", "damaged_text", "columns", "own_work"}


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
    decoding = Decoding(_known_codec(settings.encoding), settings.damaged_text)
    source = Source(settings.name, settings.licence, settings.may_train, settings.may_show, decoding, data)
    form, records = _records(settings, source, data)
    taken = track(itertools.islice(records, settings.limit), f"collect {settings.name}", settings.limit)
    stage_run = StageRun(
        data,
        Stage.COLLECTED,
        settings.name,
        mark,
        (),
        settings.model_dump(mode="json", exclude={"path", "agreement", "crawl"}),
    )
    with writing(stage_run, beside=True) as stage_run:
        try:
            count = write_records(_remembered(taken, source, data), stage_run.folder)
        except BadInput as error:
            raise _nothing_imported(error) from None
        if count == 0:
            message = f"{settings.path or STARTER} holds no record that can be taken in"
            raise EmptyCorpus(message, "check that it is the file you mean, then import again")
        return stage_run.finish(
            counts=_counts(count, source, is_whole=settings.limit is None),
            drops=source.left_out,
            details={"format": form, "content": content, "terms": _terms(content), **_found(source)},
        )


def _remembered(records: Iterator[Record], source: Source, data: Path) -> Iterator[Record]:
    """Yield what was not forgotten; the rest is counted."""
    tombstones = read_tombstones(data)
    known = adapters() if tombstones.threads else ()
    for record in records:
        is_forgotten = bool(known and record.url) and tombstones.has_thread(thread_key(record.url, known))
        left = None if is_forgotten else tombstones.left_of(record)
        if left is None:
            source.leave_out(FORGOTTEN)
        else:
            yield left


def _counts(records: int, source: Source, *, is_whole: bool) -> dict[str, int]:
    """Return how much was read and what became of it; nothing that was read may be missing."""
    accounted = records + source.left_out.total() + source.joined
    if is_whole and accounted != source.read:
        message = f"{source.read:,} were read, but {accounted:,} are accounted for"
        raise LostRecords(message, "this is a fault of psyllm: report it; nothing was imported")
    counts = {"records": records, "read": accounted, "joined": source.joined}
    return {name: count for name, count in counts.items() if count or name != "joined"}


def _found(source: Source) -> dict[str, Any]:
    details = {
        "encodings": dict(source.decoding.found),
        "parts_left_out": dict(source.parts_left_out),
        "keys_hashed": source.keys_hashed,
        **source.facts,
    }
    return {name: found for name, found in details.items() if found}


def _known_codec(name: str) -> str:
    """Return the name of an encoding that Python knows.

    Raises:
        BadSetting: it knows none of this name.
    """
    try:
        "".encode(name or "utf-8")
    except LookupError:
        message = f"setting collect.encoding: there is no encoding {name!r}"
        raise BadSetting(message, "write for example --set collect.encoding=GB18030") from None
    return name


def _content(settings: CollectSettings, data: Path) -> dict[str, Any]:
    """Return what tells one import from another: the bytes, and what is said of them."""
    said = settings.model_dump(mode="json", exclude={"path", "replace", "agreement", "crawl", *_SAID_IF_SAID})
    said |= settings.model_dump(mode="json", include=_SAID_IF_SAID, exclude_defaults=True)
    said["agreement"] = content_hash(settings.agreement) if settings.agreement is not None else None
    if settings.path is not None:
        return {**said, "sha256": content_hash(settings.path), "bundled": False}
    reviews = [content_hash(place) for place in review_places(data) if place.exists()]
    return {**said, "sha256": content_hash(STARTER), "bundled": True, "reviews": reviews}


def _terms(content: dict[str, Any]) -> dict[str, Any]:
    """Return what `corpus` reads of the terms; `agreement` is the hash of its file.

    The bundled texts were written for this project.
    """
    said = {name: content[name] for name in ("licence", "uses", "expires", "agreement")}
    return {**said, "own_work": bool(content.get("own_work")) or content["bundled"]}


def _records(settings: CollectSettings, source: Source, data: Path) -> tuple[str, Iterator[Record]]:
    if settings.path is None:
        kept = list(starter_records(source=settings.name, data=data))
        source.read = sum(1 for _ in written_records())
        rejected = source.read - len(kept)
        if rejected:
            source.left_out["rejected_in_review"] = rejected
        return "starter corpus", iter(kept)
    try:
        form = recognise(settings.path, source.decoding, settings.columns)
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
