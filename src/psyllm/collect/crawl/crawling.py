"""A crawl from its permission to its records.

A permission file comes in; pages lie in `raw/<source>/segments` while the crawl
runs, and a normal run of `1_collected`, named after the source, goes out when it
is done. The same command goes on where it stopped. `raw` lies apart from the
stages: it holds pages as fetched, for their owner alone. Without a valid
permission nothing is opened and nothing is sent.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psyllm.collect.crawl.finding import Finder, Reader
from psyllm.collect.crawl.forgetting import overwrite_places
from psyllm.collect.crawl.harvest import Harvest, Kept, Stored
from psyllm.collect.crawl.noted import RAW, note_sites, running
from psyllm.collect.crawl.permission import SOURCE, Permission, read_permission
from psyllm.collect.crawl.retention import expire, expired_names
from psyllm.collect.crawl.shared import left_for
from psyllm.collect.crawl.worker import EXPIRED, FINISHED, STOPPED, Limits
from psyllm.collect.crawl.worker_process import Ended, WorkerPlan
from psyllm.collect.crawl.workers import Workers
from psyllm.collect.frontier.contract import Frontier, Outcome
from psyllm.collect.frontier.open import REDIS_SCHEMES, open_frontier, place_of
from psyllm.collect.sites.authors import Authors
from psyllm.collect.source import Source
from psyllm.core.collect_settings import CrawlSettings
from psyllm.core.errors import (
    BadSetting,
    CrawlStopped,
    EmptyCorpus,
    LostRecords,
    MissingFile,
    NoPermission,
    SourceExists,
)
from psyllm.core.progress import report, track
from psyllm.core.records import write_records
from psyllm.core.stages import (
    Manifest,
    Stage,
    StageRun,
    fingerprint,
    read_manifest,
    stage_folder,
    write_text_atomically,
    writing,
)
from psyllm.core.tombstones import Tombstones, read_tombstones

STOP_FILE = "STOP"
# Says that other machines may crawl along, on a frontier that does not lie in this folder.
SHARED_FILE = "frontier.txt"
_PERMISSION = "permission"
FRONTIER = "frontier.sqlite3"
# One clock a host for all crawls of a data folder, those on a Redis too: several permissions may name the same host.
CLOCK = "clock.sqlite3"
FORMAT = "crawl"


class Crawl:
    """One source's crawl: its permission, its folder and its frontier."""

    def __init__(self, settings: CrawlSettings, data: Path, permission_file: Path) -> None:
        """Read the permission and make the folder.

        Raises:
            MissingFile: there is no permission.
            NoPermission: it does not hold.
        """
        asked = read_permission(permission_file, datetime.now(UTC))
        self.permission = asked.model_copy(update={"forgotten": read_tombstones(data).urls})
        self._settings = settings
        self._data = data
        self.folder = data / RAW / self.permission.source
        for folder in (data / RAW, self.folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        self.segments = self.folder / "segments"
        self.where = settings.frontier or str(self.folder / FRONTIER)

    def run(self) -> Manifest:
        """Crawl until nothing is left, then write the records.

        Raises:
            CrawlStopped: the kill switch was thrown, or the workers died.
            NoPermission: the permission ended meanwhile.
            FrontierLost: the store of URLs does not answer.
            EmptyCorpus: no page held a record.
        """
        with running(self.folder):
            note_sites(
                self.folder,
                {host: one.site for one in self.permission.scope if one.site for host in one.hosts},
            )
            return self._run()

    def _run(self) -> Manifest:
        expire(self.segments, self.permission.retention_days, datetime.now(UTC))
        frontier = self._open()
        if self._settings.frontier:
            write_text_atomically(self.folder / SHARED_FILE, f"{place_of(self.where)}\n")
        try:
            reason = frontier.stopped() or ("its STOP file" if self._stop_file.exists() else "")
            if reason:
                raise self._stopped_error(reason)
            frontier.set_meta(_PERMISSION, self.permission.id)
            finder = Finder(Reader(self.permission), self.permission.covers, self._settings.most_depth)
            frontier.add([finder.start(url) for url in self.permission.starts])
            self._fetch(frontier)
            return self._records(frontier)
        finally:
            frontier.close()

    @property
    def _stop_file(self) -> Path:
        return self.folder / STOP_FILE

    def _open(self) -> Frontier:
        return _opened(self.where, self.permission.source, self._settings, self._data)

    def _fetch(self, frontier: Frontier) -> None:
        if frontier.is_done() or self._is_full(frontier):
            return
        task = f"crawl {self.permission.source}"

        def look() -> None:
            counts = frontier.counts()
            ended = sum(counts[outcome] for outcome in Outcome)
            report(
                task, ended, ended + counts["waiting"] + counts["leased"], f"{counts[Outcome.STORED]:,} kept"
            )

        ended = Workers(self.plans(frontier)).wait(look)
        error = next((end.error for end in ended if end.error is not None), None)
        if frontier.is_done() or self._is_full(frontier):
            return
        if error is not None:
            kind, message, next_step = error
            raise kind(message, next_step)
        self._refuse_unfinished(ended, frontier.counts())

    def _refuse_unfinished(self, ended: list[Ended], counts: dict[str, int]) -> None:
        reasons = {end.reason for end in ended}
        if reasons == {FINISHED}:
            return
        left = counts["waiting"] + counts["leased"]
        if EXPIRED in reasons:
            message = (
                f"the permission {self.permission.id} ended during the crawl; {left:,} URLs were not asked"
            )
            raise NoPermission(message, "ask for a new one; what was kept stays until its retention ends")
        if STOPPED not in reasons:
            how = ", ".join(sorted(reasons))
            message = f"the workers of {self.permission.source} ended early ({how}); {left:,} URLs are left"
            raise CrawlStopped(message, "run the same command again; it goes on where it stopped")
        found = f"by hand; {left:,} URLs are left"
        raise self._stopped_error(found)

    def _stopped_error(self, found: str) -> CrawlStopped:
        shared = " --frontier ADDRESS" if self._settings.frontier else ""  # which may hold a password
        undo = f"psyllm collect crawl-stop {self.permission.source} --undo --data {self._data}{shared}"
        message = f"the crawl of {self.permission.source} is stopped: {found}; what was fetched is kept"
        return CrawlStopped(message, f"to go on: {undo}; then the same command again")

    def _is_full(self, frontier: Frontier) -> bool:
        most = self.permission.most_pages
        return most is not None and frontier.counts()[Outcome.STORED] >= most

    def plans(self, frontier: Frontier) -> list[WorkerPlan]:
        """Return one plan a worker; no more workers than pages that may still be kept."""
        settings, most = self._settings, self.permission.most_pages
        left = None if most is None else most - frontier.counts()[Outcome.STORED]
        number = settings.workers if left is None else min(settings.workers, left)
        plans = []
        for index in range(number):
            limits = Limits(
                f"w{index + 1}",
                self._stop_file,
                most,
                settings.most_attempts,
                settings.most_depth,
                settings.robots_rest_s,
                settings.lease_s / 4,
            )
            plans.append(
                WorkerPlan(
                    self.permission,
                    self.where,
                    self._data / RAW / CLOCK,
                    self.permission.source,
                    self.segments,
                    settings.lease_s,
                    settings.timeout_s,
                    settings.most_page_bytes,
                    limits,
                    self._data,
                )
            )
        return plans

    def _records(self, frontier: Frontier) -> Manifest:
        permission = self.permission
        stored = [Stored(*page) for page in frontier.stored()]
        mark = _mark_of(_content(permission, stored, read_tombstones(self._data)))
        earlier = read_manifest(stage_folder(self._data, Stage.COLLECTED) / permission.source)
        if earlier is not None and earlier.details.get("format") != FORMAT:
            message = f"the source {permission.source} holds something that was imported, not crawled"
            raise SourceExists(message, "write another `source` into the permission")
        if earlier is not None and earlier.fingerprint == mark:
            return earlier
        expired = expired_names(self.segments) & {page.segment for page in stored}
        self._need_segments(stored, expired)
        source = Source(
            permission.source,
            permission.licence,
            permission.may_train,
            permission.may_show,
            data=self._data,
        )
        authors = Authors.from_key_file(self._data)
        reader = Reader(permission)
        said = {**self._settings.model_dump(mode="json", exclude={"frontier"}), "permission": permission.id}
        run = StageRun(self._data, Stage.COLLECTED, permission.source, mark, (), said)
        with closing(reader), writing(run, beside=True) as run:
            tombstones = read_tombstones(
                self._data
            )  # again: while nobody else may write, nobody is forgotten
            content = _content(permission, stored, tombstones)
            run.fingerprint = _mark_of(content)
            harvest = Harvest(self.segments, reader, authors, source, tombstones, expired)
            records = track(harvest.records(stored), f"records of {permission.source}")
            kept = Kept(tombstones, harvest.torn, pages_expired=bool(expired))
            count = write_records(kept.with_earlier(records, self._data, permission.source), run.folder)
            if count == 0:
                overwrite_places(self.segments, harvest.forgotten)
                message = f"none of the {len(stored):,} pages of {permission.source} holds a record"
                raise EmptyCorpus(message, "see the counts of the crawl; check its starts and scope")
            accounted = count - kept.carried_over + source.joined + source.left_out.total()
            if accounted != len(stored):
                message = f"{len(stored):,} pages were read, but {accounted:,} are accounted for"
                raise LostRecords(message, "this is a fault of psyllm: report it; no record was put in use")
            account = {"parts_left_out": dict(source.parts_left_out), **account_of(frontier, permission)}
            manifest = run.finish(
                counts={
                    "records": count,
                    "pages": len(stored),
                    "joined": source.joined,
                    **({"carried_over": kept.carried_over} if kept.carried_over else {}),
                },
                drops=source.left_out,
                details={"format": FORMAT, "content": content, "terms": _terms(permission), **account},
            )
        # Only now: what else stands on these pages is safe in the records.
        overwrite_places(self.segments, harvest.forgotten)
        return manifest

    def _need_segments(self, stored: list[Stored], expired: set[str]) -> None:
        """Refuse to make records of a part: workers on other machines wrote segments of their own."""
        named = {page.segment for page in stored} - expired
        missing = sorted(name for name in named if not (self.segments / name).is_file())
        if missing:
            message = f"{len(missing)} of {len(named)} segments of {self.permission.source} are not in {self.segments}"
            next_step = f"copy them there from the machines that fetched them (the first: {missing[0]}), then run it again"
            raise MissingFile(message, next_step)


def stop_crawl(settings: CrawlSettings, data: Path, source: str, reason: str) -> Path:
    """Throw the kill switch of a source's crawl, here and on other machines; an empty reason takes it back.

    Raises:
        MissingFile: no crawl of this source was begun here.
        BadSetting: the name is none, or only this machine's workers could be told.
    """
    if not re.fullmatch(SOURCE, source):
        message = f"{source!r} is no name of a source: lower-case letters, digits, - and _"
        raise BadSetting(message, f"see which there are: ls {data / RAW}")
    folder = data / RAW / source
    if not folder.is_dir():
        message = f"no crawl of {source} was begun in {data}"
        raise MissingFile(message, f"see which there are: ls {data / RAW}")
    if reason:
        (folder / STOP_FILE).write_text(f"{reason}\n", "utf-8")
    else:
        (folder / STOP_FILE).unlink(missing_ok=True)
    told = _tell(settings.frontier or str(folder / FRONTIER), source, settings, data, reason)
    done = f"{source} is stopped" if reason else f"the stop of {source} is taken back"
    if settings.frontier and not told:
        message = f"{done} in {folder} only: {place_of(settings.frontier)} holds no crawl of it"
        raise BadSetting(message, f"give the --frontier that the crawl was begun with{_noted(folder)}")
    if not settings.frontier and (folder / SHARED_FILE).exists():
        message = f"{done} in {folder} only; other machines may go on as before"
        raise BadSetting(message, f"give the --frontier that the crawl was begun with, too{_noted(folder)}")
    return folder


def _tell(where: str, source: str, settings: CrawlSettings, data: Path, reason: str) -> bool:
    """Write the stop into a frontier that is there; return whether it holds such a crawl."""
    if not where.startswith(REDIS_SCHEMES) and not Path(where).is_file():
        return False
    frontier = _opened(where, source, settings, data)
    try:
        is_known = frontier.get_meta(_PERMISSION) is not None
        if is_known:
            frontier.stop(reason)
    finally:
        frontier.close()
    return is_known


def _noted(folder: Path) -> str:
    try:
        return f": {(folder / SHARED_FILE).read_text('utf-8').strip()}"
    except FileNotFoundError:
        return ""


def _content(permission: Permission, stored: list[Stored], tombstones: Tombstones) -> dict[str, Any]:
    """Return what tells these records from others of the same source."""
    return {
        "sha256": _hash_of(stored),
        "permission": permission.id,
        "licence": permission.licence,
        "may_train": permission.may_train,
        "may_show": permission.may_show,
        "tombstones": [sorted(marks) for marks in tombstones],
    }


def _mark_of(content: dict[str, Any]) -> str:
    return fingerprint(Stage.COLLECTED, [], content, ["collect", "core"])


def _terms(permission: Permission) -> dict[str, str | None]:
    """Return the terms that travel with the records; what was agreed on ends with the permission."""
    return {
        "licence": permission.licence,
        "uses": None,
        "expires": permission.expires.isoformat(),
        "agreement": permission.document_sha256,
    }


def _opened(where: str, source: str, settings: CrawlSettings, data: Path) -> Frontier:
    frontier, clock = open_frontier(where, crawl=source, lease_s=settings.lease_s, clock=data / RAW / CLOCK)
    clock.close()  # nothing is claimed here
    return frontier


def account_of(frontier: Frontier, permission: Permission) -> dict[str, Any]:
    """Return what a crawl has to answer for: counts, refusals by reason, hosts left, every robots.txt."""
    ended = {
        str(outcome): dict(
            sorted(Counter(done.detail for done in frontier.settled(outcome) if done.detail).items())
        )
        for outcome in Outcome
    }
    robots = [
        {
            "origin": snapshot.host,
            "verdict": snapshot.verdict,
            "status": snapshot.status,
            "fetched_at": snapshot.fetched_at,
            "sha256": snapshot.sha256,
        }
        for snapshot in frontier.robots()
    ]
    left = {host: said for host in sorted(permission.hosts) if (said := left_for(frontier, host))}
    return {
        "crawl": frontier.counts(),
        "ended": ended,
        "hosts_left": left,
        "robots": robots,
        "permission": permission.model_dump(mode="json", exclude={"starts"}),
    }


def _hash_of(stored: list[Stored]) -> str:
    digest = hashlib.sha256()
    for page in stored:
        digest.update(f"{page.url}\0{page.where}\n".encode())
    return digest.hexdigest()
