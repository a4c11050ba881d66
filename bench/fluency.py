"""Fit the fluency check and judge it on dialogues and weak models that it never saw.

`python bench/fluency.py draw MODEL OUT.json` lets a model answer questions.
`python bench/fluency.py fit --fit A.json … --held-out B.json …` counts pairs in
dialogues 5,000 to 20,000 of smilechat and some of cpsycoun, fits the weights on
dialogues 0 to 2,000, half of the starter answers, damaged text and the answers
of the models of `--fit`, and writes `fluency.npz` and `fluency_weights.toml`
beside the check. `judge --held-out B.json …` alone prints the figures. Outside
data are read from PSYLLM_TEST_DATA (default ../shared/data). Weak models come
from `psyllm collect starter`, `clean`, `corpus` and `train` with few steps.
The same data give the same bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import lzma
import os
import random
import re
import tarfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import rjieba
from numpy.typing import NDArray
from scipy.optimize import minimize

from psyllm.core.settings import Decoding
from psyllm.core.starter import starter_records
from psyllm.evaluate.intervals import share_interval
from psyllm.lm.engine import Engine
from psyllm.lm.template import Message
from psyllm.safety import fluency
from psyllm.text.parts_of_speech import tagged_words
from psyllm.text.sentences import split_sentences

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SEED = 20261123
FEWEST_CLASS = 300  # rarer classes are one
FEWEST_PAIR = 5  # rarer pairs of characters are unseen
DRAWN = 60  # questions of each kind that a model is asked
WHOLE_LIMIT = 0.5
STRETCH_LIMIT = 2.0
RIDGE = 1.0

Floats = NDArray[np.float64]


def smilechat(first: int, last: int, roles: Sequence[str] = ("counselor",)) -> list[list[str]]:
    """Return the turns of dialogues `first` to `last`."""
    dialogues = []
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number >= last:
                break
            if number >= first:
                turns = json.loads(line)["dialog"]
                dialogues.append([turn["content"] for turn in turns if turn["role"] in roles])
    return dialogues


def cpsycoun() -> list[list[str]]:
    """Return the counsellor's turns of each dialogue, by the dialogue's number."""
    with tarfile.open(DATA / "cpsycoun" / "CPsyCounD.tar.xz") as archive:
        files = sorted((m for m in archive.getmembers() if m.name.endswith(".txt")), key=lambda m: m.name)
        texts = [part.read().decode("utf-8") for m in files if (part := archive.extractfile(m))]
    turn = re.compile(r"心理咨询师[：:](.*?)(?=来访者[：:]|心理咨询师[：:]|\Z)", re.DOTALL)
    return [[found.strip() for found in turn.findall(text) if found.strip()] for text in texts]


def emollm() -> list[str]:
    rows = json.loads(lzma.decompress((DATA / "emollm" / "data.json.xz").read_bytes()))
    return [turn["output"] for row in rows for turn in row["conversation"]]


def written_posts() -> list[str]:
    rows = json.loads((DATA / "crisis" / "psysuicide_valid.json").read_text("utf-8"))
    return [row["text"] for row in rows]


def starter_answers() -> list[str]:
    return [answer.text for record in starter_records() for answer in record.answers]


def beginnings(texts: Iterable[str], sentences: int) -> list[str]:
    """Return the first `sentences` sentences of the texts that have so many, 10 characters at least."""
    found = []
    for text in texts:
        held, count = "", 0
        for sentence in split_sentences(text.strip()):
            held += sentence
            count += len(sentence.strip()) > 1
            if count >= sentences and len(held) >= 10:
                found.append(held)
                break
    return found


def damaged(text: str, other: str, draw: random.Random) -> str:
    """Return the text with its words shuffled, mixed with another's, left out or said twice."""
    words, others = list(rjieba.cut(text)), list(rjieba.cut(other))
    kind = draw.randrange(4)
    if kind == 0:
        parts = [words[at : at + 8] for at in range(0, len(words), 8)]
        return "".join(word for part in parts for word in draw.sample(part, len(part)))
    if kind == 1:
        return "".join(character for character in text if draw.random() > 0.25)
    if kind == 2:
        return "".join(draw.choice(words) + word if draw.random() < 0.25 else word for word in words)
    return "".join("".join(pair) for pair in _spliced(words, others, draw))


def _spliced(words: list[str], others: list[str], draw: random.Random) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(words):
        ours, theirs = draw.randint(1, 4), draw.randint(1, 4)
        start = draw.randrange(max(len(others) - theirs, 1))
        yield "".join(words[place : place + ours]), "".join(others[start : start + theirs])
        place += ours + theirs


def count_pairs(texts: Iterable[str]) -> tuple[list[str], Floats, NDArray[np.int64], Floats]:
    """Return class names, counts of class pairs, keys of character pairs and their counts."""
    beside: Counter[tuple[str, str]] = Counter()
    keys = []
    for text in texts:
        named = [fluency.word_class(word, tag) for word, tag in tagged_words(text)]
        classes = [fluency.START, *(name for name in named if name)]
        beside.update(itertools.pairwise(classes))
        keys.append(fluency.pair_keys(text))
    total: Counter[str] = Counter()
    for (_, second), count in beside.items():
        total[second] += count
    often = sorted(name for name, count in total.items() if count >= FEWEST_CLASS and name != fluency.OTHER)
    names = [fluency.START, fluency.OTHER, *often]
    number = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for (first, second), count in beside.items():
        counts[number.get(first, 1), number.get(second, 1)] += count
    values, times = np.unique(np.concatenate(keys), return_counts=True)
    kept = times >= FEWEST_PAIR
    return names, counts, values[kept], times[kept].astype(np.float64)


def write_tables(names: list[str], counts: Floats, keys: NDArray[np.int64], times: Floats) -> None:
    logs = [np.minimum(np.rint(fluency.LOG_STEPS * np.log1p(part)), 255) for part in (counts, times)]
    np.savez_compressed(
        fluency.TABLES,
        class_pairs=logs[0].astype(np.uint8),
        key_steps=np.diff(keys, prepend=0).astype(np.uint32),
        pair_counts=logs[1].astype(np.uint8),
    )
    write_weights(names, None)


def write_weights(names: list[str], fitted: fluency.Weights | None) -> None:
    lines = ["# Fitted by bench/fluency.py; do not edit.", "", "classes = ["]
    lines += [f"  {json.dumps(name, ensure_ascii=False)}," for name in names] + ["]"]
    if fitted is not None:
        lines += ["", "[score]"]
        lines += [f"{name} = {getattr(fitted, name):.6g}" for name in fluency.Weights._fields[4:]]
        lines += ["", "[measures] # mean, scale, weight, weight by length"]
        rows = zip(fluency.MEASURES, *fitted[:4], strict=True)
        lines += [f"{name} = [{', '.join(f'{value:.6g}' for value in row)}]" for name, *row in rows]
    fluency.WEIGHTS.write_text("\n".join(lines) + "\n", "utf-8")
    fluency.load_weights.cache_clear()
    fluency.load_tables.cache_clear()


class Examples:
    """Measured texts with their label (1 is salad) and weight."""

    def __init__(self, tables: fluency.Tables) -> None:
        self._tables = tables
        self._rows: list[tuple[Floats, float, int, float]] = []

    def add(
        self, texts: Iterable[str], label: int, weight: float, leave_out: frozenset[int] = frozenset()
    ) -> None:
        """Measure texts of one kind."""
        for text in texts:
            self._rows.append((*fluency.measure(text, self._tables, leave_out), label, weight))

    def fit(self) -> fluency.Weights:
        """Return the logistic regression with a ridge on all but the bias."""
        values = np.array([row[0] for row in self._rows])
        length, label, weight = (np.array([row[place] for row in self._rows], float) for place in (1, 2, 3))
        mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
        standard = np.clip((values - mean) / scale, -4, 4)
        columns = [standard, standard * length[:, None], length[:, None], np.ones((len(length), 1))]
        table = np.hstack(columns)

        def loss(weights: Floats) -> tuple[float, Floats]:
            odds = table @ weights
            chance = 1 / (1 + np.exp(-odds))
            penalty = np.append(weights[:-1], 0.0)
            value = weight @ (np.logaddexp(0, odds) - label * odds) + RIDGE * penalty @ penalty / 2
            return float(value), table.T @ (weight * (chance - label)) + RIDGE * penalty

        found = minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B").x
        size = len(fluency.MEASURES)
        parts = found[:size], found[size : 2 * size]
        return fluency.Weights(
            mean, scale, *parts, float(found[-2]), float(found[-1]), WHOLE_LIMIT, STRETCH_LIMIT
        )


def own_pairs(text: str) -> frozenset[int]:
    """Return the pairs of a starter text that stand nowhere else in the starter corpus."""
    texts = {part for record in starter_records() for part in record.texts()}
    times = Counter(key for part in texts for key in set(fluency.pair_keys(part).tolist()))
    return frozenset(key for key in fluency.pair_keys(text).tolist() if times[key] <= 1)


def fit(salads: Sequence[Path]) -> None:
    draw = random.Random(SEED)
    counselling = cpsycoun()
    both = smilechat(5000, 20000, ("counselor", "client"))
    counted = count_pairs(text for dialogue in both + counselling[1000:2500] for text in dialogue)
    write_tables(*counted)
    examples = Examples(fluency.load_tables())
    turns = [turn for dialogue in smilechat(0, 2000) for turn in dialogue if len(turn) > 30]
    fine = draw.sample(turns, 700) + [turn for dialogue in counselling[:300] for turn in dialogue[1:2]]
    asked = [turn for dialogue in smilechat(0, 2000, ("client",)) for turn in dialogue]
    grown = [text for count in (1, 2, 3) for text in beginnings(fine, count)]
    examples.add([*grown, *fine], 0, 1.0)
    examples.add(beginnings(draw.sample(asked, 400), 1), 0, 0.5)
    examples.add(draw.sample(written_posts()[::2], 300), 0, 0.5)
    for text in starter_answers()[::2]:
        own = own_pairs(text)
        examples.add([part for count in (1, 2, 3, 5) for part in beginnings([text], count)], 0, 2.0, own)
        examples.add(fluency.stretches(text), 0, 1.0, own)
    kept = beginnings(fine, 1) + beginnings(fine, 2) + starter_answers()[::2]
    examples.add([damaged(text, draw.choice(fine), draw) for text in kept], 1, 0.3)
    drawn = [text for path in salads for text in json.loads(path.read_text("utf-8"))]
    examples.add([text for count in (1, 2, 3) for text in beginnings(drawn, count)], 1, 1.0)
    examples.add([part for text in drawn for part in fluency.stretches(text)], 1, 0.5)
    write_weights(counted[0], examples.fit())


def judge(salads: Sequence[Path]) -> None:
    draw = random.Random(SEED + 1)
    turns = [turn for dialogue in smilechat(2000, 3000) for turn in dialogue]
    late = [turn for dialogue in smilechat(40000, 40500) for turn in dialogue]
    posts = written_posts()[1::2]
    asked = [turn for dialogue in smilechat(2000, 3000, ("client",)) for turn in dialogue]
    fine = {
        "smilechat 2,000-3,000": draw.sample(turns, 1500),
        "smilechat 40,000-40,500": draw.sample(late, 800),
        "cpsycoun 2,600 on": draw.sample([turn for d in cpsycoun()[2600:] for turn in d], 600),
        "emollm answers": draw.sample(emollm(), 300),
        "visitors of smilechat": draw.sample(asked, 500),
        "social media posts": posts,
    }
    for name, texts in fine.items():
        _table(name, texts)
    _starter()
    for path in salads:
        _table(f"weak model {path.stem}", json.loads(path.read_text("utf-8")))
    text = "".join(starter_answers())[:500]
    fluency.unreadable(text)
    start = time.perf_counter()
    for _ in range(20):
        fluency.unreadable(text)
    print(f"one call on 500 characters: {(time.perf_counter() - start) * 50:.2f} ms")


def _table(name: str, texts: Sequence[str]) -> None:
    for label, parts, final in (
        ("1 sentence", beginnings(texts, 1), False),
        ("2 sentences", beginnings(texts, 2), False),
        ("3 sentences", beginnings(texts, 3), False),
        ("whole, 2+", [text for text in texts if beginnings([text], 2)], True),
    ):
        if parts:
            reasons = [fluency.unreadable(part, final=final) for part in parts]
            _line(
                f"{name:26} {label:12}",
                sum(map(bool, reasons)),
                len(parts),
                Counter(r for rs in reasons for r in rs),
            )


def _starter() -> None:
    """Starter answers that took no part in fitting, as if their pairs were new."""
    tables, weights = fluency.load_tables(), fluency.load_weights()
    for count in (1, 2, 3, 6):
        refused = total = 0
        for text in starter_answers()[1::2]:
            for part in beginnings([text], count):
                values = fluency.measure(part, tables, own_pairs(text))
                refused += fluency.score(*values, weights) > weights.whole_limit
                total += 1
        _line(f"{'starter answers as new':26} {count} sentences ", refused, total, Counter())
    _table("starter answers", starter_answers())


def _line(name: str, refused: int, total: int, reasons: Counter[str]) -> None:
    interval = share_interval([True] * refused + [False] * (total - refused))
    low, high = (100 * (end or 0.0) for end in interval[1:])
    named = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    print(
        f"{name} refused {refused:4}/{total:4} {100 * refused / total:5.1f} % ({low:.1f}-{high:.1f})  {named}"
    )


async def draw_answers(model: Path) -> list[str]:
    """Return a model's answers to starter and smilechat questions at three temperatures."""
    asked = [record.opening() for record in starter_records() if record.kind == "question"][:DRAWN]
    asked += [dialogue[0] for dialogue in smilechat(20000, 20000 + DRAWN, ("client",))]
    engine = await Engine.start(model, threads=1)
    await engine.ready()
    places = asyncio.Semaphore(8)

    async def answer(number: int, text: str) -> str:
        decoding = Decoding(temperature=(0.5, 0.7, 1.0)[number % 3], max_new_tokens=130)
        async with places:
            ticket = await engine.submit([Message("visitor", text)], decoding, number)
            return "".join([words async for words in engine.stream(ticket)])

    answers = await asyncio.gather(*(answer(number, text) for number, text in enumerate(asked)))
    await engine.close()
    return list(answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=("draw", "fit", "judge"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--fit", nargs="*", type=Path, default=[])
    parser.add_argument("--held-out", nargs="*", type=Path, default=[])
    chosen = parser.parse_args()
    if chosen.task == "draw":
        model, out = chosen.paths
        out.write_text(json.dumps(asyncio.run(draw_answers(model)), ensure_ascii=False, indent=1), "utf-8")
        return
    if chosen.task == "fit":
        fit(chosen.fit)
    judge(chosen.held_out)


if __name__ == "__main__":
    main()
