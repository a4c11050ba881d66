"""Fit the table of meanings and judge it on dialogues that it never saw.

`python bench/meaning.py fit` learns, from the dialogues of smilechat (CC0), a
vector for each common word and pair of characters, such that the first words
of a dialogue find the later words of their visitor and of their counsellor
among a thousand others (contrastive loss over cosines), and writes
`meaning.npz` beside `psyllm/text/meaning.py`: hashes and whole numbers, no text.
`judge [--tuning]` prints how often dialogues kept out of it (`nearest.py` says which) are found by
their first words, beside the cosine of TF-IDF over the same words. TF-IDF finds the very same dialogue
about as often, by the names and things that it repeats; another person's words for the same trouble,
which the table is for, have no such marks. Outside data are read from PSYLLM_TEST_DATA (default
../shared/data). One thread: the same data and the same torch give the same bytes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nearest import HELD_OUT, TUNING
from psyllm.core.progress import report
from psyllm.evaluate.intervals import share_interval
from psyllm.text.meaning import TABLE, load_meanings, meaning_of, word_hash, words_of

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SEED = 20261125
WORDS = 19_000  # with the dimensions, what fits 1.5 MB
DIMENSIONS = 80
EPOCHS = 10  # found on the tuning dialogues: after these the gain is within a point
BATCH = 1024
LEARNING_RATE = 3e-3
TEMPERATURE = 0.07
FEWEST_WORDS = 3
READ_CHARS = 700  # of what follows the first words; enough, and a third of the time
RUN_CHARS = 12  # so many characters in common with an opening kept out keep a dialogue out, too
LEAST_KEPT = 0.5  # a random share of the words, this to all, is seen each time: short texts are met, too
CLIPPED = 0.0005  # share of numbers at the ends of the whole-number scale

Ids = NDArray[np.int64]


class Told(NamedTuple):
    """A dialogue: the visitor's first words, the visitor's later ones and the counsellor's."""

    number: int
    first: str
    later: str
    counsel: str

    def texts(self) -> tuple[str, str, str]:
        """Return the three texts."""
        return self.first, self.later, self.counsel


def dialogues() -> Iterator[Told]:
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            turns = json.loads(line)["dialog"]
            said = [turn["content"] for turn in turns if turn["role"] == "client"]
            counsel = [turn["content"] for turn in turns if turn["role"] != "client"]
            if len(said) > 1 and counsel:
                yield Told(number, said[0], " ".join(said[1:]), " ".join(counsel))


def kept_out(number: int, *sets: tuple[int, int]) -> bool:
    return any(number % every == first for first, every in sets)


def training_dialogues() -> list[Told]:
    """Return what may be learnt from: nothing kept out and nothing that repeats an opening kept out."""
    every = list(dialogues())
    openings = [one.first for one in every if kept_out(one.number, HELD_OUT, TUNING)]
    runs = {run for opening in openings for run in _runs(opening)}
    others = [one for one in every if not kept_out(one.number, HELD_OUT, TUNING)]
    kept = [one for one in others if runs.isdisjoint(_runs(f"{one.first}\n{one.later}"))]
    print(f"{len(every)} dialogues, {len(openings)} kept out, {len(others) - len(kept)} repeat one of these")
    return [one._replace(later=one.later[:READ_CHARS], counsel=one.counsel[:READ_CHARS]) for one in kept]


def _runs(text: str) -> Iterator[str]:
    return (text[at : at + RUN_CHARS] for at in range(len(text) - RUN_CHARS + 1))


def numbered(told: Iterable[Told]) -> tuple[list[str], NDArray[np.int64], list[tuple[Ids, ...]]]:
    """Return the commonest words of visitors, how often each occurs, and each dialogue's as their numbers from 1."""
    ids: dict[str, int] = {}
    rows = []
    counts: Counter[int] = Counter()
    for one in told:
        texts = [[ids.setdefault(word, len(ids)) for word in words_of(text)] for text in one.texts()]
        counts.update(texts[0] + texts[1])
        rows.append([np.array(text, np.int64) for text in texts])
    names = list(ids)
    common = sorted(counts, key=lambda id_: (-counts[id_], names[id_]))[:WORDS]
    number = np.zeros(len(ids), np.int64)
    number[common] = np.arange(1, len(common) + 1)
    found = [tuple(_above_zero(number[text]) for text in row) for row in rows]
    found = [row for row in found if min(map(len, row)) >= FEWEST_WORDS]
    return [names[id_] for id_ in common], np.array([counts[id_] for id_ in common]), found


def _above_zero(numbers: Ids) -> Ids:
    return numbers[numbers > 0]


class Learner(torch.nn.Module):
    """A vector and a weight for each word; the weights start from how rare words are."""

    def __init__(self, times: NDArray[np.int64], texts: int) -> None:
        super().__init__()
        rarity = np.log(texts / (1 + np.append(texts - 1, times)))
        self.vectors = torch.nn.EmbeddingBag(len(times) + 1, DIMENSIONS, mode="sum", padding_idx=0)
        torch.nn.init.normal_(self.vectors.weight, 0, 0.1)
        self.weights = torch.nn.Parameter(torch.tensor(rarity / rarity.max(), dtype=torch.float32))

    def forward(self, texts: Sequence[Ids]) -> torch.Tensor:
        """Return a vector of length one for each text, shape (texts, dimensions)."""
        flat = torch.from_numpy(np.concatenate(texts))
        starts = torch.tensor([0, *itertools.accumulate(len(text) for text in texts[:-1])])
        summed = self.vectors(flat, starts, per_sample_weights=torch.relu(self.weights[flat]))
        return functional.normalize(summed, dim=1)

    @torch.no_grad()
    def table(self) -> NDArray[np.float32]:
        """Return the vectors times their weights, without that of no word, shape (words, dimensions)."""
        whole: NDArray[np.float32] = (self.vectors.weight * torch.relu(self.weights)[:, None]).numpy()
        return whole[1:]


def learn(times: NDArray[np.int64], rows: Sequence[tuple[Ids, ...]]) -> NDArray[np.float32]:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    draw = np.random.default_rng(SEED)
    learner = Learner(times, 2 * len(rows))
    optimiser = torch.optim.Adam(learner.parameters(), lr=LEARNING_RATE)
    target = torch.arange(BATCH)
    for epoch in range(EPOCHS):
        report("epochs", epoch, EPOCHS)
        order = draw.permutation(len(rows))
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            batch = [rows[place] for place in order[start : start + BATCH]]
            first, later, counsel = (
                learner([_thinned(text, draw) for text in column]) for column in zip(*batch, strict=True)
            )
            likeness = [first @ other.T / TEMPERATURE for other in (later, counsel)]
            likeness += [table.T for table in likeness]
            loss = torch.stack([functional.cross_entropy(table, target) for table in likeness]).mean()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    report("epochs", EPOCHS, EPOCHS)
    return learner.table()


def _thinned(text: Ids, draw: np.random.Generator) -> Ids:
    kept = text[draw.random(len(text)) < draw.uniform(LEAST_KEPT, 1)]
    return kept if len(kept) >= FEWEST_WORDS else text


def fit() -> None:
    began = time.perf_counter()
    words, times, rows = numbered(training_dialogues())
    print(
        f"{len(rows)} dialogues read in {time.perf_counter() - began:.0f} s; the rarest word stands in {times[-1]}"
    )
    table = learn(times, rows)
    step = np.quantile(np.abs(table), 1 - CLIPPED) / 127
    whole = np.clip(np.rint(table / step), -127, 127).astype(np.int8)
    hashes = np.array([word_hash(word) for word in words], np.uint64)
    order = np.argsort(hashes)
    np.savez_compressed(TABLE, hashes=hashes[order], vectors=whole[order])
    load_meanings.cache_clear()
    print(f"fitted in {time.perf_counter() - began:.0f} s; {TABLE.stat().st_size:,} bytes")


def judge(chosen: tuple[int, int]) -> None:
    told = [one for one in dialogues() if kept_out(one.number, chosen)]
    columns = list(zip(*(one.texts() for one in told), strict=True))
    learnt = [np.stack([meaning_of(text) for text in column]) for column in columns]
    plain = _tf_idf(columns)
    print(f"{len(told)} dialogues; found among them by the visitor's first words")
    for place, name in ((1, "the visitor's later words"), (2, "the counsellor's words")):
        for way, tables in (("meaning", learnt), ("TF-IDF", plain)):
            hits = (tables[0] @ tables[place].T).argmax(axis=1) == np.arange(len(told))
            share, low, high = (100 * (part or 0.0) for part in share_interval(hits.tolist()))
            print(f"  {name:26} {way:8} {share:5.1f} %  [{low:.1f}, {high:.1f}]")
    began = time.perf_counter()
    for text in columns[0]:
        meaning_of(text)
    print(f"{(time.perf_counter() - began) / len(told) * 1000:.2f} ms for one opening")


def _tf_idf(columns: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
    """Return for each column a row of unit length for each text, of the words known to the table."""
    hashes = load_meanings().hashes.tolist()
    place_of = {hash_: place for place, hash_ in enumerate(hashes)}
    tables = []
    for column in columns:
        table = np.zeros((len(column), len(hashes)), np.float32)
        for row, text in enumerate(column):
            held = [place_of.get(word_hash(word), -1) for word in words_of(text)]
            table[row, [place for place in held if place >= 0]] = 1
        tables.append(table)
    texts = sum(len(column) for column in columns)
    rarity = np.log(texts / (1 + sum(table.sum(axis=0) for table in tables)))
    weighed = [table * rarity.astype(np.float32) for table in tables]
    return [table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9) for table in weighed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=("fit", "judge"))
    parser.add_argument("--tuning", action="store_true", help="judge on dialogues that may be looked at")
    said = parser.parse_args()
    if said.task == "fit":
        fit()
    else:
        judge(TUNING if said.tuning else HELD_OUT)


if __name__ == "__main__":
    main()
