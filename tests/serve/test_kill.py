"""Kill -9 at random moments under a small load: whatever was acknowledged is there afterwards."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from psyllm.casebook.open import casebook_path
from serve_house import HEADERS, key

KILLS = 20
WRITERS = 3
DANGEROUS = "我不想活了，已经写好了遗书"
HARMLESS = "晚上睡不着，躺下就想很多事情"


@dataclass
class Writer:
    """A browser that asks and says more until the server is gone."""

    number: int
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    acknowledged: set[str] = field(default_factory=set)
    dangerous: set[str] = field(default_factory=set)
    retry: tuple[str, dict[str, str]] | None = None
    keys: set[str] = field(default_factory=set)

    def write(self, url: str) -> None:
        draw = random.Random(f"{self.number} {len(self.keys)}")
        conversation = ""
        with httpx.Client(base_url=url, headers=HEADERS, cookies=self.cookies, timeout=10) as browser:
            while True:
                text = DANGEROUS if draw.random() < 0.2 else HARMLESS
                body = {"title": text, "details": "", "request_key": key()}
                path = "/api/conversations"
                if conversation and draw.random() < 0.6:
                    path = f"/api/conversations/{conversation}/messages"
                    body = {"text": text, "request_key": body["request_key"]}
                if self.retry is not None:
                    path, body = self.retry
                try:
                    response = browser.post(path, json=body)
                except httpx.TransportError:
                    # Without a cookie nobody knows who asks again.
                    self.retry = (path, body) if self.cookies else None
                    return
                assert response.status_code == 201, response.text
                self.retry = None
                self.cookies = browser.cookies
                turn = response.json()
                conversation = turn["conversation_id"]
                self.acknowledged.add(turn["message"]["id"])
                self.keys.add(body["request_key"])
                if turn["level"] not in {"none", "distress"}:
                    assert turn["case_open"]
                    self.dangerous.add(conversation)


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    program = Path(__file__).parent.parent / "serve_forks.py"
    command = [sys.executable, str(program), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def say(forks: subprocess.Popen[str]) -> None:
    assert forks.stdin is not None
    forks.stdin.write("serve\n")
    forks.stdin.flush()


def hear(forks: subprocess.Popen[str]) -> list[str]:
    assert forks.stdout is not None
    return forks.stdout.readline().split()


def unanswered(path: Path, writers: list[Writer]) -> dict[str, object]:
    """What the database says of all that was acknowledged."""
    with closing(sqlite3.connect(path)) as database:
        messages = dict(database.execute("SELECT id, request_key FROM messages WHERE author = 'visitor'"))
        cases = {row[0] for row in database.execute("SELECT conversation_id FROM cases")}
        twice = database.execute(
            "SELECT count(*) FROM (SELECT 1 FROM messages WHERE request_key IS NOT NULL"
            " GROUP BY sender_id, request_key HAVING count(*) > 1)"
        ).fetchone()[0]
        unscreened = database.execute(
            "SELECT count(*) FROM messages m LEFT JOIN screenings s ON s.message_id = m.id"
            " WHERE m.author = 'visitor' AND s.id IS NULL"
        ).fetchone()[0]
        return {
            "lost messages": set().union(*(one.acknowledged for one in writers)) - set(messages),
            "lost keys": set().union(*(one.keys for one in writers)) - set(messages.values()),
            "lost cases": set().union(*(one.dangerous for one in writers)) - cases,
            "written twice": twice,
            "unscreened": unscreened,
            "integrity": database.execute("PRAGMA integrity_check").fetchone()[0],
        }


def test_twenty_kills_lose_nothing_acknowledged(forks: subprocess.Popen[str], tmp_path: Path) -> None:
    seed = int(os.environ.get("PSYLLM_KILL_SEED", random.SystemRandom().randrange(10**6)))
    sys.stdout.write(f"seed {seed}; again with PSYLLM_KILL_SEED={seed}\n")
    draw = random.Random(seed)
    writers = [Writer(number) for number in range(WRITERS)]
    for _ in range(KILLS):
        say(forks)
        process, url = hear(forks)
        threads = [threading.Thread(target=writer.write, args=(url,)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(draw.uniform(0.02, 0.8))
        os.kill(int(process), signal.SIGKILL)
        for thread in threads:
            thread.join()
        assert hear(forks) == ["gone"]
        nothing = {"lost messages": set(), "lost keys": set(), "lost cases": set()}
        fine = {"written twice": 0, "unscreened": 0, "integrity": "ok"}
        assert unanswered(casebook_path(tmp_path), writers) == {**nothing, **fine}
    assert sum(len(writer.acknowledged) for writer in writers) >= KILLS
    assert any(writer.dangerous for writer in writers)


def test_after_the_kill_unfinished_runs_are_failed_and_everything_is_readable(
    forks: subprocess.Popen[str], tmp_path: Path
) -> None:
    writer = Writer(0)
    say(forks)
    process, url = hear(forks)
    thread = threading.Thread(target=writer.write, args=(url,))
    thread.start()
    time.sleep(0.7)
    os.kill(int(process), signal.SIGKILL)
    thread.join()
    assert hear(forks) == ["gone"]
    with closing(sqlite3.connect(casebook_path(tmp_path))) as database:
        database.execute(
            "UPDATE runs SET state = 'running' WHERE id = (SELECT max(id) FROM runs WHERE kind = 'library')"
        )
        database.commit()
    say(forks)
    process, url = hear(forks)
    with httpx.Client(base_url=url, headers=HEADERS, cookies=writer.cookies) as browser:
        listed = browser.get("/api/conversations").json()
        whole = [browser.get(f"/api/conversations/{one['id']}").json() for one in listed]
    os.kill(int(process), signal.SIGKILL)
    assert hear(forks) == ["gone"]
    read = {message["id"] for conversation in whole for message in conversation["messages"]}
    assert writer.acknowledged <= read
    assert all(conversation["running"] is None for conversation in whole)
