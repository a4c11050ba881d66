"""What the crawler's tests and bench stand on: a served site, a permission for it, its log."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from psyllm.collect.crawl.segments import read_page
from psyllm.collect.frontier.open import open_frontier

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
SERVER = Path(__file__).with_name("crawl_site.py")


class Ground:
    """A site that runs: its ports, its log, and a permission for some of its hosts."""

    def __init__(self, folder: Path, ports: list[int], log: Path) -> None:
        self.folder, self.ports, self.log = folder, ports, log
        self.data = folder / "data"

    def host(self, index: int) -> str:
        return f"127.0.0.1:{self.ports[index]}"

    def seen(self, index: int | None = None) -> list[dict[str, Any]]:
        """What the site was asked, in order; of one host if said. The log is flushed every 50 ms."""
        lines = self.log.read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if index is None or row["host"] == index]

    def paths(self, index: int) -> list[str]:
        return [row["path"] for row in self.seen(index)]

    def permission(self, *, hosts: list[int] | None = None, **changes: Any) -> Path:
        """Write a permission for the site's question pages."""
        chosen = range(len(self.ports)) if hosts is None else hosts
        document = self.folder / "consent.txt"
        document.write_text("we agree\n")
        values: dict[str, Any] = {
            "id": "test-1",
            "source": "test",
            "basis": "a site of our own, for tests",
            "contact": "crawler@psyllm.example",
            "document": document.name,
            "document_sha256": hashlib.sha256(document.read_bytes()).hexdigest(),
            "licence": "CC0-1.0",
            "may_train": True,
            "may_show": False,
            "delay_s": 0,
            "starts": [f"http://{self.host(index)}/qa?page=1" for index in chosen],
        }
        scope = {
            "hosts": [self.host(index) for index in chosen],
            "paths": ["/qa", "/private"],
            "site": "yixinli",
        }
        scope |= {name: changes.pop(name) for name in list(changes) if name in {"paths", "site"}}
        expires = changes.pop("expires", "2999-12-31")
        lines = [f"{name} = {json.dumps(value)}" for name, value in (values | changes).items()]
        scope_lines = [f"{name} = {json.dumps(value)}" for name, value in scope.items()]
        text = "\n".join([*lines, f"expires = {expires}", "", "[[scope]]", *scope_lines])
        path = self.folder / "permission.toml"
        path.write_text(text + "\n")
        return path

    def crawl(
        self, permission: Path, *words: str, check: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line's crawl to its end."""
        result = subprocess.run(
            self.command(permission, *words),
            check=False,
            env=environment(self.folder),
            capture_output=True,
            text=True,
            timeout=120,
            **more,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def command(self, permission: Path, *words: str) -> list[str]:
        base = [sys.executable, "-W", "error", "-m", "psyllm.cli", "collect", "crawl", str(permission)]
        quick = ["--set", "collect.crawl.robots_rest_s=0.3", "--set", "collect.crawl.timeout_s=3"]
        return [*base, "--data", str(self.data), *quick, *words]


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PSYLLM_AUTHOR_KEY_FILE": str(folder / "author.key"),
    }


@contextmanager
def served(folder: Path, hosts: list[dict[str, Any]], core: int | None = None) -> Iterator[Ground]:
    """Serve a site while the block runs, on one core if said."""
    folder.mkdir(parents=True, exist_ok=True)
    site, log = folder / "site.json", folder / "seen.jsonl"
    site.write_text(json.dumps(hosts))
    log.touch()
    pin = [] if core is None else ["taskset", "-c", str(core)]
    process = subprocess.Popen(
        [*pin, sys.executable, str(SERVER), str(site), str(log)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Ground(folder, json.loads(process.stdout.readline()), log)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def settled(read: Callable[[], T]) -> T:
    """Return what the site saw, once its log is written out."""
    time.sleep(0.15)
    return read()


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Survived(NamedTuple):
    """What a crawl with a killed worker left: by URL what went wrong, and how many pages are stored."""

    killed: bool
    lost: list[str]
    twice: list[str]
    disallowed: list[str]
    stored: int


def killed_crawl(ground: Ground, permission: Path, chance: random.Random, frontier: str = "") -> Survived:
    """Crawl with two workers, kill one with signal 9 at a random moment, let the other finish."""
    said = [
        "--workers",
        "2",
        "--set",
        "collect.crawl.lease_s=2",
        *(["--frontier", frontier] if frontier else []),
    ]
    running = subprocess.Popen(
        ground.command(permission, *said),
        env=environment(ground.folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(ground.seen)
    time.sleep(chance.random() * 1.5)
    workers = [
        child for child in psutil.Process(running.pid).children() if "spawn_main" in " ".join(child.cmdline())
    ]
    victim = chance.choice(workers) if workers else None
    if victim is not None:
        victim.kill()
    _, error = running.communicate(timeout=120)
    assert running.returncode == 0, error
    return settled(lambda: _judged(ground, victim is not None, frontier))


def _judged(ground: Ground, killed: bool, place: str) -> Survived:
    """Compare what is stored with what the site has, and with what it saw."""
    folder = ground.data / "raw" / "test"
    frontier, clock = open_frontier(place or str(folder / "frontier.sqlite3"), crawl="test")
    stored = list(frontier.stored())
    ended = frontier.counts()
    frontier.close()
    clock.close()
    hosts = json.loads((ground.folder / "site.json").read_text())
    wanted = {url for index, host in enumerate(hosts) for url in _urls(ground.host(index), host)}
    urls = Counter(url for url, _, _ in stored)
    places = Counter(where for _, _, where in stored)
    wrong = [url for url, _, where in stored if read_page(folder / "segments", where).url != url]
    twice = [name for name, count in (urls + places).items() if count > 1]
    denied = {index for index, host in enumerate(hosts) if host.get("robots") == "deny"}
    disallowed = [
        row["path"]
        for row in ground.seen()
        if row["path"].startswith("/private") or (row["host"] in denied and row["path"] != "/robots.txt")
    ]
    lost = sorted(wanted - set(urls)) + wrong + ["not done"] * (ended["waiting"] + ended["leased"])
    return Survived(killed, lost, twice, disallowed, len(stored))


def _urls(host: str, said: dict[str, Any]) -> Iterator[str]:
    """All pages that a whole crawl stores of one host: lists, questions and their second pages."""
    if said.get("robots") == "deny":
        return
    lists = -(-said["questions"] // 20)
    yield from (f"http://{host}/qa?page={page}" for page in range(1, lists + 1))
    for number in range(1, said["questions"] + 1):
        if said.get("faults") and number % 50 in {19, 23}:
            continue
        yield f"http://{host}/qa/{number}"
        if number % 10 == 0:
            yield f"http://{host}/qa/{number}?page=2"
