"""The chain from ratings to another model, and whether it helped: visitors are played, all else is real.

    python bench/ratings.py [--data DIR] [--asked DIR] [--visitors 160] [--into DIR] [--base embedded]
        [--set section.name=value ...]

A service on a copy of `--data` (default data/; nothing of its casebook and nothing played comes into it) answers
over loopback with the model in use, fit or not: visitors ask, take another view, which the model writes, rate it and
allow the rating to be learnt from. Then `runs/ratings.sh` makes the next model with KTO and
compares it with the one before. With `--base embedded` the model in the package writes, learns and is compared with.
`--into` keeps the copy. Questions are what visitors open with in the
training split of `--asked`'s corpus (default: of `--data`'s).

The played taste is one that can be counted: an answer that names some word of the
question's own and has two sentences or more is liked, any other is not. So the table
can say whether the new model answers more to that taste on questions that
nobody rated, which is all it can say: no person was asked. What the report's own
verdict says stands below it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from psyllm.core import embedded
from psyllm.core.progress import listening
from psyllm.core.records import read_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, need_current
from psyllm.evaluate.intervals import share_interval
from psyllm.evaluate.questions import Asked, draw, openings_of
from psyllm.evaluate.sample import draw_answers
from psyllm.serve.run import Service
from psyllm.text.sentences import split_sentences

ROOT = Path(__file__).parent.parent
AXES = ("helpfulness", "fluency", "relevance", "logic")
LIKED, DISLIKED = 5, 1
LEAST_SENTENCES = 2
NAMED_CHARS = 2  # of a run that question and answer share
EVERYBODYS = frozenset("我你他她的了吗呢吧啊是不有在也都就和怎么办为什想会要能可以这那个很")
LONGEST_ANSWER_S = 120.0
READY_S = 120.0  # of waiting for the engine: before it is loaded other views come from the library
SEED = 20261126
MEASURED = 150
LEFT_BEHIND = ("casebook", "5_reports", "6_feedback")


def openings(corpus: Path, split: str, most: int) -> list[Asked]:
    """Return what so many visitors of a split opened with."""
    return draw(list(openings_of(read_records(corpus, prefix=split))), most, SEED)


def is_liked(asked: str, answer: str) -> bool:
    """Return whether the played visitors like an answer."""
    runs = {asked[at : at + NAMED_CHARS] for at in range(len(asked) - NAMED_CHARS + 1)}
    own = [run for run in runs if run.isalnum() and not EVERYBODYS & set(run)]
    return len(split_sentences(answer.strip())) >= LEAST_SENTENCES and any(run in answer for run in own)


def visit(url: str, asked: str, number: int) -> str:
    """One visitor asks, takes another view, rates it and goes; returns what became of it."""
    with httpx.Client(base_url=url, headers={"X-Psy-Request": "1"}, timeout=60) as visitor:
        body = {"title": asked, "details": "", "request_key": f"rating-{number:07d}"}
        turn = visitor.post("/api/conversations", json=body).raise_for_status().json()
        path = f"/api/conversations/{turn['conversation_id']}"
        wait(visitor, path)
        view = visitor.post(
            f"{path}/runs", json={"kind": "another_view", "request_key": f"view-{number:08d}"}
        )
        if view.is_error:
            return "no other view offered"
        written = [one for one in wait(visitor, path) if one["can_rate"] and one["author"] == "model"]
        if not written:
            return "stopped by the guard"
        liked = is_liked(asked, written[-1]["text"])
        marks: dict[str, Any] = dict.fromkeys(AXES, LIKED if liked else DISLIKED)
        rating = marks | {"comment": "", "training_consent": True}
        visitor.post(f"/api/messages/{written[-1]['id']}/rating", json=rating).raise_for_status()
        return "liked" if liked else "not liked"


def wait(visitor: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return the conversation's messages once nothing is being written."""
    until = time.monotonic() + LONGEST_ANSWER_S
    while True:
        found = visitor.get(path).raise_for_status().json()
        if found["running"] is None or time.monotonic() > until:
            messages: list[dict[str, Any]] = found["messages"]
            return messages
        time.sleep(0.1)


def wait_for_engine(url: str) -> None:
    """Return once the service's model can write.

    Raises:
        SystemExit: it can't.
    """
    until = time.monotonic() + READY_S
    state = "starting"
    while state == "starting" and time.monotonic() < until:
        state = str(httpx.get(f"{url}/api/status").json()["generation"])
        time.sleep(0.2)
    if state != "ready":
        message = f"nobody writes other views here: {state}"
        raise SystemExit(message)


def taste_met(model: Path, asked: Sequence[Asked], threads: int) -> list[bool]:
    """Return for each question whether the model's answer would be liked."""
    drawn = draw_answers(model, asked, ServeSettings().decoding, threads=threads, seed=SEED)
    return [is_liked(one.question(), answer.text) for one, answer in zip(asked, drawn, strict=True)]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--data", type=Path, default=Path("data"))
    words.add_argument("--asked", type=Path, help="a data folder whose corpus holds the questions")
    words.add_argument("--visitors", type=int, default=160)
    words.add_argument("--into", type=Path, help="a new folder for the copy, which stays")
    words.add_argument(
        "--base", choices=["embedded"], help="the one that writes and learns; else the model in use"
    )
    words.add_argument("--threads", type=int, default=0)
    words.add_argument(
        "--set", action="append", default=[], help="passed to every command of runs/ratings.sh"
    )
    given = words.parse_args()
    asked_of = need_current(given.asked or given.data, Stage.CORPUS)[0]
    with tempfile.TemporaryDirectory() as spare:
        data = given.into or Path(spare) / "data"
        shutil.copytree(given.data, data, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        turn(data, asked_of, given)


def turn(data: Path, asked_of: Path, given: argparse.Namespace) -> None:
    """Let visitors rate, learn from it, and print what came of it."""
    before = embedded.need() if given.base else need_current(data, Stage.MODELS)[0] / "model"
    asked = openings(asked_of, "train", given.visitors)
    counts: Counter[str] = Counter()
    serving = ServeSettings(port=0, model="fit" if given.base else "any", engine_threads=given.threads)
    with listening(lambda _: None), Service(serving, data) as service:
        wait_for_engine(service.url)
        for number, one in enumerate(asked):
            counts[visit(service.url, one.question(), number)] += 1
    print(f"{len(asked)} visitors: {dict(sorted(counts.items()))}")
    base = ["--base", given.base] if given.base else []
    options = [word for setting in given.set for word in ("--set", setting)]
    script = [str(ROOT / "runs" / "ratings.sh"), "--data", str(data.resolve()), *base, *options]
    subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
    after = need_current(data, Stage.MODELS)[0] / "model"
    held = openings(asked_of, "dev", MEASURED)
    with listening(lambda _: None):
        for name, model in (("before", before), ("after", after)):
            share = share_interval(taste_met(model, held, given.threads)).scaled(100)
            print(f"{name:6s} {share.value:5.1f} % [{share.low:.1f}, {share.high:.1f}] of {len(held)} liked")
    report = need_current(data, Stage.REPORTS)[0]
    against = json.loads((report / "metrics.json").read_text("utf-8")).get("against", {})
    print(f"the report says: {against.get('verdict')}; {report / 'report.html'}")
    print(json.dumps(against.get("figures", {}), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
