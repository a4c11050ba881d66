"""What a crawl leaves beside its pages for those who come later: that it runs, and whose sites it read.

`psyllm forget` looks at pages when the permission may be gone: which hosts are a
copy of which site lies in `sites.json` of the crawl's folder. A lock that the
running crawl holds says that more pages may come; it is free again however the
crawl ends. Nothing here reads a page.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from psyllm.collect.sites.choose import SITES, adapters
from psyllm.collect.sites.contract import Adapter
from psyllm.core.stages import write_text_atomically

RAW = "raw"
SITES_FILE = "sites.json"
RUNNING_FILE = "running.lock"


def note_sites(folder: Path, sites: Mapping[str, str]) -> None:
    """Write down which hosts are a copy of which site, beside those that an earlier permission named."""
    known = {**_noted_sites(folder), **sites}
    if known:
        write_text_atomically(folder / SITES_FILE, json.dumps(known, sort_keys=True, indent=1) + "\n")


def noted_adapters(data: Path) -> tuple[Adapter, ...]:
    """Return the adapters of all sites and of the copies of them that the crawls of a data folder named."""
    sites: dict[str, str] = {}
    for folder in sorted((data / RAW).glob("*/")):
        sites |= _noted_sites(folder)
    copies = (SITES[site](base_url=f"http://{host}") for host, site in sites.items() if site in SITES)
    return (*copies, *adapters())


def _noted_sites(folder: Path) -> dict[str, str]:
    with suppress(FileNotFoundError, ValueError):
        found = json.loads((folder / SITES_FILE).read_text("utf-8"))
        return {str(host): str(site) for host, site in found.items()}
    return {}


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Say, while the block runs, that a crawl is at work there; several may be."""
    with (folder / RUNNING_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def running_crawls(data: Path) -> list[str]:
    """Return the names of the sources that a process of this machine crawls just now."""
    return [path.parent.name for path in sorted((data / RAW).glob(f"*/{RUNNING_FILE}")) if _is_held(path)]


def _is_held(path: Path) -> bool:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
