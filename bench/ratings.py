"""The chain from ratings to another model, and whether it helped: visitors are played, all else is real.

    python bench/ratings.py [--data DIR] [--asked DIR] [--visitors 160] [--into DIR] [--base embedded]
        [--set section.name=value ...]

A service on a copy of `--data` (default data/) answers over loopback with the model in use, fit or not: visitors
ask, take another view, which the model writes, rate it and allow the rating to be learnt from. Then
`runs/ratings.sh` makes the next model with KTO and compares it with the one before. With `--base embedded` the
model in the package writes, learns and is compared with. The copy holds what that needs and nobody's words
(`data_copy.py`): a folder with people's ratings, or with records made of their conversations, is refused, and so
is such an `--asked`. What is played comes into the casebook of the copy alone, whatever the environment says of
another; `--data` is only read. `--into` keeps the copy. Questions are what visitors open with in the training
split of `--asked`'s corpus (default: of `--data`'s). What becomes of each visitor is counted in the API's own words.

The played taste is one that can be counted: an answer that names some word of the
question's own and has two sentences or more is liked, any other is not. So the table
can say whether the new model answers more to that taste on questions that
nobody rated, which is all it can say: no person was asked. The difference is that of both
models' answers to the same question. What the report's own verdict says stands below it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from data_copy import copy_data, need_nobodys_words
from psyllm.casebook.open import casebook_url
from psyllm.casebook.place import VARIABLE
from psyllm.core import embedded
from psyllm.core.progress import listening
from psyllm.core.records import read_records
from psyllm.core.settings import ServeSettings
from psyllm.core.stages import Stage, need_current
from psyllm.evaluate.intervals import mean_interval, share_interval
from psyllm.evaluate.questions import Asked, draw, openings_of
from psyllm.evaluate.sample import draw_answers
from psyllm.serve.run import Service
from psyllm.serve.stand_in import writer
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
DRAWS = 10_000  # of the bootstrap


def openings(corpus: Path, split: str, most: int) -> list[Asked]:
    """Return what so many visitors of a split opened with."""
    return draw(list(openings_of(read_records(corpus, prefix=split))), most, SEED)


def is_liked(asked: str, answer: str) -> bool:
    """Return whether the played visitors like an answer."""
    runs = {asked[at : at + NAMED_CHARS] for at in range(len(asked) - NAMED_CHARS + 1)}
    own = [run for run in runs if run.isalnum() and not EVERYBODYS & set(run)]
    return len(split_sentences(answer.strip())) >= LEAST_SENTENCES and any(run in answer for run in own)


def visit(url: str, asked: str, number: int) -> str:
    """One visitor asks, takes another view, rates it and goes; returns what became of it.

    Raises:
        TimeoutError: an answer was still being written after `LONGEST_ANSWER_S`.
    """
    try:
        return _visit(url, asked, number)
    except httpx.HTTPStatusError as error:
        return refusal(error.response)


def _visit(url: str, asked: str, number: int) -> str:
    with httpx.Client(base_url=url, headers={"X-Psy-Request": "1"}, timeout=60) as visitor:
        body = {"title": asked, "details": "", "request_key": f"rating-{number:07d}"}
        turn = visitor.post("/api/conversations", json=body).raise_for_status().json()
        path = f"/api/conversations/{turn['conversation_id']}"
        if turn["run"] is None:
            return f"no answer at level {turn['level']}"
        wait(visitor, path)
        wish = {"kind": "another_view", "request_key": f"view-{number:08d}"}
        view = visitor.post(f"{path}/runs", json=wish).raise_for_status().json()
        messages = wait(visitor, path)
        written = [one for one in messages if one["run_id"] == view["id"] and one["author"] == "model"]
        ended = ending(visitor, view["id"])
        if ended != "done" or not written:
            return f"{view['kind']} view: {ended}"
        liked = is_liked(asked, written[-1]["text"])
        marks: dict[str, Any] = dict.fromkeys(AXES, LIKED if liked else DISLIKED)
        rating = marks | {"comment": "", "training_consent": True}
        visitor.post(f"/api/messages/{written[-1]['id']}/rating", json=rating).raise_for_status()
        return "liked" if liked else "not liked"


def refusal(response: httpx.Response) -> str:
    """Return what the service refused with: the status and, where it gives one, its error's code."""
    try:
        code = str(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        code = ""
    return f"HTTP {response.status_code} {code}".rstrip()


def ending(visitor: httpx.Client, run: str) -> str:
    """Return the last state of a run that has ended and, where its answer was replaced, why, as its events say."""
    state = ""
    for block in visitor.get(f"/api/runs/{run}/events").raise_for_status().text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.split("\n"))
        if fields.get("event") == "replaced":
            return f"replaced because of {json.loads(fields['data'])['reason']}"
        if fields.get("event") == "state":
            state = str(json.loads(fields["data"])["state"])
    return state


def wait(visitor: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return the conversation's messages once nothing is being written.

    Raises:
        TimeoutError: something still is.
    """
    until = time.monotonic() + LONGEST_ANSWER_S
    while True:
        found = visitor.get(path).raise_for_status().json()
        if found["running"] is None:
            messages: list[dict[str, Any]] = found["messages"]
            return messages
        if time.monotonic() > until:
            message = f"an answer was still being written after {LONGEST_ANSWER_S:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.1)


def wait_for_engine(url: str, silent_because: str) -> None:
    """Return once the service's model can write; `silent_because` is what is known of why it may not.

    Raises:
        SystemExit: it can't.
    """
    until = time.monotonic() + READY_S
    state = "starting"
    while state == "starting" and time.monotonic() < until:
        state = str(httpx.get(f"{url}/api/status").json()["generation"])
        time.sleep(0.2)
    if state != "ready":
        why = silent_because if state == "off" else "its process did not come up; is there memory for it?"
        message = (
            f"nobody writes other views here: {state}: {why}; see: psyllm models embedded; psyllm status"
        )
        raise SystemExit(message)


def taste_met(model: Path, asked: Sequence[Asked], threads: int) -> list[bool]:
    """Return for each question whether the model's answer would be liked."""
    drawn = draw_answers(model, asked, ServeSettings().decoding, threads=threads, seed=SEED)
    return [is_liked(one.question(), answer.text) for one, answer in zip(asked, drawn, strict=True)]


def print_liked(before: Sequence[bool], after: Sequence[bool]) -> None:
    """Print how many answers of each model are liked, and the difference of answers to the same questions."""
    for name, marks in (("before", before), ("after", after)):
        share = share_interval(marks).scaled(100)
        print(f"{name:6s} {share.value:5.1f} % [{share.low:.1f}, {share.high:.1f}] of {len(marks)} liked")
    gains = [now - once for once, now in zip(before, after, strict=True)]
    change = mean_interval(gains, samples=DRAWS, seed=SEED).scaled(100)
    ends = "" if change.low is None or not any(gains) else f" [{change.low:+.1f}, {change.high:+.1f}]"
    print(
        f"change {change.value:+.1f} points{ends}, pair by pair: "
        f"{gains.count(1)} liked only after, {gains.count(-1)} only before"
    )


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
    need_nobodys_words(given.asked or given.data)
    with tempfile.TemporaryDirectory() as spare:
        data = given.into or Path(spare) / "data"
        copy_data(given.data, data, with_model=not given.base)
        turn(data, asked_of, given)


def turn(data: Path, asked_of: Path, given: argparse.Namespace) -> None:
    """Let visitors rate, learn from it, and print what came of it."""
    # It may name a casebook of real people, which the commands of the script would open as well.
    os.environ.pop(VARIABLE, None)
    casebook = casebook_url(data)
    before = embedded.need() if given.base else need_current(data, Stage.MODELS)[0] / "model"
    asked = openings(asked_of, "train", given.visitors)
    counts: Counter[str] = Counter()
    serving = ServeSettings(
        port=0, database=casebook, model="fit" if given.base else "any", engine_threads=given.threads
    )
    with listening(lambda _: None), Service(serving, data) as service:
        wait_for_engine(service.url, writer(serving, data).reason)
        for number, one in enumerate(asked):
            counts[visit(service.url, one.question(), number)] += 1
    print(f"{len(asked)} visitors: {dict(sorted(counts.items()))}")
    base = ["--base", given.base] if given.base else []
    settings = [*given.set, f"serve.database={casebook}"]  # the last one counts
    options = [word for setting in settings for word in ("--set", setting)]
    script = [str(ROOT / "runs" / "ratings.sh"), "--data", str(data.resolve()), *base, *options]
    if subprocess.run(script, check=False, stdout=subprocess.DEVNULL).returncode:
        message = "runs/ratings.sh stopped; why, and what to do, stands above"
        raise SystemExit(message)
    after = need_current(data, Stage.MODELS)[0] / "model"
    held = openings(asked_of, "dev", MEASURED)
    with listening(lambda _: None):
        print_liked(*(taste_met(model, held, given.threads) for model in (before, after)))
    report = need_current(data, Stage.REPORTS)[0]
    against = json.loads((report / "metrics.json").read_text("utf-8")).get("against", {})
    print(f"the report says: {against.get('verdict')}; {report / 'report.html'}")
    print(json.dumps(against.get("figures", {}), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
