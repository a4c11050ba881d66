"""The visitor's clock: eight visitors at once against the real service on this machine.

`python bench/visitor.py [--data DIR]` copies the model and the corpus in use of
DIR (default data/) into a temporary folder, serves it over loopback in a
process of its own, and lets visitors ask, follow, take another view and, in a
conversation of its own, write something urgent. Each visitor waits one to two
seconds between steps, as people do at least; the numbers of visitors and
rounds are bounded. Any model may write here, fit or not: its clock is what is
measured. Without one only the library answers. First words are
the first sentence, or what takes the place of an answer that the guard did not
pass. Prints a table; exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from psyllm.casebook.place import VARIABLE
from psyllm.core.stages import Stage, current_run, set_current
from psyllm.core.starter import starter_records
from psyllm.safety.screen import screen

MOST_VISITORS = 32
MOST_ROUNDS = 50
URGENT = "我已经写好遗书了，今晚就从楼上跳下去"
READY_WAIT_S = 120.0
FIRST_WORDS = "first words, library"
FIRST_GENERATED = "first words, another view"
HELP_CARD = "help card"
WHOLE_LIBRARY = "whole answer, library"
WHOLE_GENERATED = "whole answer, another view"
# From the issue that asked for the service: seconds at the 95th percentile.
TARGETS_S = {
    FIRST_WORDS: 1.0,
    FIRST_GENERATED: 1.0,
    HELP_CARD: 0.3,
    WHOLE_LIBRARY: 10.0,
    WHOLE_GENERATED: 10.0,
}


class Times(NamedTuple):
    """Seconds by what was waited for, and how answers ended."""

    waited_s: defaultdict[str, list[float]]
    ended: Counter[str]


class Visitor:
    """One browser with its own cookie."""

    def __init__(self, url: str, number: int, times: Times) -> None:
        self._browser = httpx.AsyncClient(base_url=url, headers={"X-Psy-Request": "1"}, timeout=60)
        self._draw = random.Random(number)
        self._times = times
        self._number = number
        self._keys = 0

    async def stay(self, rounds: int, questions: Sequence[str], *, views: bool) -> None:
        """Go through the rounds, then leave."""
        async with self._browser:
            for _ in range(rounds):
                await self._think()
                conversation = await self._ask(self._draw.choice(questions))
                if views:
                    await self._think()
                    await self._another_view(conversation)
                await self._think()
                await self._urgent()

    async def _think(self) -> None:
        await asyncio.sleep(self._draw.uniform(1.0, 2.0))

    async def _post(self, path: str, body: dict[str, str]) -> Any:  # noqa: ANN401  (JSON)
        self._keys += 1
        key = f"bench-{self._number:03d}-{self._keys:05d}"
        response = await self._browser.post(path, json={**body, "request_key": key})
        response.raise_for_status()
        return response.json()

    async def _ask(self, question: str) -> str:
        began = time.monotonic()
        turn = await self._post("/api/conversations", {"title": question, "details": ""})
        first, whole, _ = await self._follow(turn["run"]["id"], began)
        self._times.waited_s[FIRST_WORDS].append(first)
        self._times.waited_s[WHOLE_LIBRARY].append(whole)
        return str(turn["conversation_id"])

    async def _another_view(self, conversation: str) -> None:
        began = time.monotonic()
        run = await self._post(f"/api/conversations/{conversation}/runs", {"kind": "another_view"})
        first, whole, state = await self._follow(run["id"], began)
        self._times.waited_s[FIRST_GENERATED].append(first)
        self._times.waited_s[WHOLE_GENERATED].append(whole)
        self._times.ended[f"{run['kind']} {state}"] += 1

    async def _urgent(self) -> None:
        began = time.monotonic()
        turn = await self._post("/api/conversations", {"title": URGENT, "details": ""})
        assert turn["help_first"] is True
        self._times.waited_s[HELP_CARD].append(time.monotonic() - began)

    async def _follow(self, run_id: str, began: float) -> tuple[float, float, str]:
        """Return when the first words and the end came, and the run's last state."""
        first = math.nan
        state = ""
        async for name, data in self._events(run_id):
            if name in {"sentence", "message", "replaced"} and math.isnan(first):
                first = time.monotonic() - began
            if name == "state":
                state = data["state"]
        return first, time.monotonic() - began, state

    async def _events(self, run_id: str) -> AsyncIterator[tuple[str, Any]]:
        async with self._browser.stream("GET", f"/api/runs/{run_id}/events") as response:
            response.raise_for_status()
            name = ""
            async for line in response.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """Serve a data folder on a free port in a process of its own; give the address."""
    # the casebook of this folder, whatever the environment names
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    script = (
        "import sys; from pathlib import Path; from psyllm.core.settings import ServeSettings;"
        "from psyllm.serve.run import run;"
        "run(ServeSettings(port=0, model='any'), Path(sys.argv[1]), announce=lambda url: print(url, flush=True))"
    )
    command = [sys.executable, "-c", script, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the server has no standard output")
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def borrow(source: Path, data: Path) -> bool:
    """Copy the model and the corpus in use; return whether there is a model."""
    for stage in (Stage.CORPUS, Stage.MODELS):
        run = current_run(source, stage)
        if run is not None:
            shutil.copytree(run, data / stage.value / run.name, ignore=shutil.ignore_patterns("checkpoint*"))
            set_current(data, stage, run.name)
    return current_run(data, Stage.MODELS) is not None


def until_settled(url: str) -> str:
    """Wait until the model is ready or known not to be; return which."""
    deadline = time.monotonic() + READY_WAIT_S
    with httpx.Client(base_url=url) as browser:
        while time.monotonic() < deadline:
            state = str(browser.get("/api/status").json()["generation"])
            if state != "starting":
                return state
            time.sleep(0.2)
    return "starting"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def report(times: Times) -> bool:
    """Print the table; return whether every target is met."""
    met = True
    print(f"{'waited for':<28}{'n':>5}{'p50 s':>9}{'p95 s':>9}{'most s':>9}{'target':>9}")
    for name, target in TARGETS_S.items():
        values = [value for value in times.waited_s[name] if not math.isnan(value)]
        if not values:
            print(f"{name:<28}{0:>5}  not measured")
            continue
        p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
        fine = p95 <= target
        met = met and fine
        verdict = "" if fine else "  MISSED"
        print(f"{name:<28}{len(values):>5}{p50:>9.3f}{p95:>9.3f}{max(values):>9.3f}{target:>9.1f}{verdict}")
    for ending, count in sorted(times.ended.items()):
        print(f"another view ended as {ending}: {count}")
    return met


async def visit(url: str, visitors: int, rounds: int, *, views: bool) -> Times:
    """Let the visitors come at the same time; return what they waited."""
    titles = [record.title for record in starter_records() if record.kind == "question"]
    questions = [title for title in titles if screen([title]).may_generate]
    times = Times(defaultdict(list), Counter())
    people = [Visitor(url, number, times) for number in range(visitors)]
    await asyncio.gather(*(person.stay(rounds, questions, views=views) for person in people))
    return times


def main() -> int:
    """Serve, visit, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    chosen = parser.parse_args()
    visitors, rounds = min(chosen.visitors, MOST_VISITORS), min(chosen.rounds, MOST_ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        views = borrow(chosen.data, Path(folder))
        with serving(Path(folder)) as url:
            state = until_settled(url)
            load = os.getloadavg()[0]
            print(
                f"{visitors} visitors, {rounds} rounds, {os.cpu_count()} cores, model {state}, load {load:.1f}"
            )
            return 0 if report(asyncio.run(visit(url, visitors, rounds, views=views))) else 1


if __name__ == "__main__":
    sys.exit(main())
