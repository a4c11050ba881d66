"""How many test questions are known from training: our split against random ones, by brute force.

    python bench/leaks.py --data data
    python bench/leaks.py --data data --fingerprints DIR [--strangers DIR]

The second form measures the fingerprints that go with a model (`psyllm corpus
fingerprints --out DIR`, made of the corpus in use of --data) as `psyllm evaluate`
uses them: what they take and find of 200 training dialogues, whole and with one in
20 or 10 characters replaced (drawn at random) and the beginning cut off, of training
questions of 40 to 99, and of 100 Chinese characters and more, copied word for word behind
a greeting and before 800 characters of replies from the test split, of 200 dev dialogues,
of the test split, and of the corpus in use of another data folder (--strangers, e.g.
the starter's), where every find is a false alarm. All else here is the first form.

Reads the Parquet files of `3_corpus/current` with pyarrow alone and shares no
code with psyllm. A *test question* is the first visitor turn of a dialogue, or
a question's title, and its title and details joined; documents ask nothing.
*Training text* is everything in a training record, each alone: title, details
or body, both joined, every turn of visitor and counsellor, every answer.

A test question leaks when, for any training text,
  - beginning: both begin with the same 14 Chinese characters (U+4E00 to U+9FFF
    and extensions; everything else is passed over), or
  - jaccard: their sets of character 5-grams have |A and B| / |A or B| >= 0.8,
    once with only white space taken out and once with only the Chinese
    characters left; one of the two is enough. A text shorter than 5 is its own
    only 5-gram. Texts of every length are compared: a similarity of 0.8 itself
    asks that the smaller set be at least 0.8 of the larger.
Both are exact: for each training text the shared 5-grams with every test
question are counted through an inverted index; nothing is sampled or hashed.
A third count is stricter than our own aim: *inside* is a test question whose
first 14 Chinese characters occur anywhere in a training text.

The random splits take the same records, as many to test and dev as ours.
Prints a table and ends with status 1 when ours leaks. About a minute for 5,000
dialogues on one core.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

FIRST = 14
N = 5
LEAST = 0.8
GREETING = "你好，"
ANSWER_CHARS = 800  # as long as answers of PsyQA are
NOT_CHINESE = re.compile("[^\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U000323af]+")
Row = dict[str, Any]


def rows(folder: Path, split: str) -> list[Row]:
    columns = ["id", "kind", "title", "text", "turns", "answers"]
    found: list[Row] = []
    for path in sorted(folder.glob(f"{split}-*.parquet")):
        found += pq.read_table(path, columns=columns).to_pylist()
    return found


def questions(row: Row) -> list[str]:
    if row["kind"] == "document":
        return []
    for turn in row["turns"] or []:
        if turn["role"] == "visitor":
            return [turn["text"]]
    return [text for text in (row["title"], row["title"] + "\n" + row["text"]) if text.strip()]


def texts(row: Row) -> Iterator[str]:
    yield row["title"]
    yield row["text"]
    yield row["title"] + "\n" + row["text"]
    for turn in row["turns"] or []:
        yield turn["text"]
    for answer in row["answers"] or []:
        yield answer["text"]


def chinese(text: str) -> str:
    return NOT_CHINESE.sub("", text)


def grams(text: str) -> set[str]:
    if len(text) <= N:
        return {text} if text else set()
    return {text[place : place + N] for place in range(len(text) - N + 1)}


class Asked:
    """Test questions with an inverted index of one view of them."""

    def __init__(self, views: list[tuple[int, str]]) -> None:
        self.owners = [owner for owner, _ in views]
        self.sizes: list[int] = []
        self.index: defaultdict[str, list[int]] = defaultdict(list)
        for place, (_, text) in enumerate(views):
            found = grams(text)
            self.sizes.append(len(found))
            for gram in found:
                self.index[gram].append(place)

    def near(self, text: str) -> Iterator[int]:
        """Yield the owner of every view that is near to the text."""
        own = grams(text)
        shared: Counter[int] = Counter()
        for gram in own:
            if gram in self.index:
                shared.update(self.index[gram])
        for place, count in shared.items():
            if count >= LEAST * (len(own) + self.sizes[place] - count) - 1e-9:
                yield self.owners[place]


def leaks(test: list[Row], train: list[Row]) -> dict[str, set[int]]:
    asked = [(place, text) for place, row in enumerate(test) for text in questions(row)]
    begins: defaultdict[str, set[int]] = defaultdict(set)
    for place, text in asked:
        if len(chinese(text)) >= FIRST:
            begins[chinese(text)[:FIRST]].add(place)
    squeezed = Asked([(place, "".join(text.split())) for place, text in asked])
    bare = Asked([(place, chinese(text)) for place, text in asked])
    found: dict[str, set[int]] = {"beginning": set(), "jaccard": set(), "inside": set()}
    for text in {text for row in train for text in texts(row)}:
        only = chinese(text)
        found["beginning"] |= begins.get(only[:FIRST], set())
        for place in range(len(only) - FIRST + 1):
            if only[place : place + FIRST] in begins:
                found["inside"] |= begins[only[place : place + FIRST]]
        found["jaccard"].update(squeezed.near("".join(text.split())))
        found["jaccard"].update(bare.near(only))
    return found


def report(name: str, test: list[Row], train: list[Row]) -> int:
    begun = time.perf_counter()
    found = leaks(test, train)
    asked = sum(bool(questions(row)) for row in test)
    leaking = len(found["beginning"] | found["jaccard"])
    counts = "".join(f"{len(found[kind]):>11,}" for kind in ("beginning", "jaccard"))
    share = leaking / asked if asked else 0.0
    seconds = time.perf_counter() - begun
    print(
        f"{name:<18}{asked:>10,}{counts}{leaking:>9,}{share:>8.1%}{len(found['inside']):>9,}{seconds:>8.1f} s"
    )
    return leaking


def found_share(folder: Path, talks: list[tuple[str, list[str]]]) -> str:
    """Return how many items are found by runs, by opening, and by either, as `psyllm evaluate` finds them."""
    import numpy as np

    from psyllm.core.fingerprints import read_index, read_openings, read_runs
    from psyllm.evaluate.seen_before import LEAST_SHARE
    from psyllm.text.known_text import comparable, measured, opening_alike, sharing

    items = measured([opening for opening, _ in talks], [texts for _, texts in talks])
    by_runs = np.zeros(len(talks), dtype=bool)
    by_opening, short = by_runs.copy(), by_runs.copy()
    for source, counts in (read_index(folder) or {}).items():
        bits = counts["sample_bits"]
        by_runs |= sharing(items, read_runs(folder, source, bits), LEAST_SHARE, bits)
        opens, begins = opening_alike(items, read_openings(folder, source), counts["opening_chars"])
        by_opening |= opens | begins
        short |= ~comparable(items, bits)
    cells = [int(each.sum()) for each in (by_runs, by_opening, by_runs | by_opening, short)]
    return f"{len(talks):>8,}" + "".join(f"{cell:>12,}" for cell in cells)


def talks_of(found: list[Row], changed: float = 0, cut: int = 0) -> list[tuple[str, list[str]]]:
    """Return opening and texts of rows; such a share of characters replaced, so many cut off at the beginning."""
    chance = random.Random(2)
    talks = []
    for row in found:
        opening = next(iter(questions(row)[-1:]), "") or row["title"] + "\n" + row["text"]
        edited = [edit(text, changed, chance) for text in [opening[cut:], *texts_beside(row)]]
        talks.append((edited[0], [text for text in edited if text]))
    return talks


def copied(known: list[Row], strange: list[Row], sizes: range) -> list[tuple[str, list[str]]]:
    """Return up to 200 known questions of so many Chinese characters behind a greeting, each with a new long answer."""
    chance = random.Random(3)
    asked = [question for row in known for question in questions(row)[-1:] if len(chinese(question)) in sizes]
    new = "".join(turn["text"] for row in strange for turn in row["turns"] or [] if turn["role"] != "visitor")
    talks = []
    for question in chance.sample(asked, min(200, len(asked))):
        start = chance.randrange(max(1, len(new) - ANSWER_CHARS))
        opening = GREETING + question
        talks.append((opening, [opening, new[start : start + ANSWER_CHARS]]))
    return talks


def texts_beside(row: Row) -> list[str]:
    """Return all texts of a row but its opening."""
    turns = [turn["text"] for turn in row["turns"] or []]
    first = next((place for place, turn in enumerate(row["turns"] or []) if turn["role"] == "visitor"), -1)
    return [text for place, text in enumerate(turns) if place != first] + [
        answer["text"] for answer in row["answers"] or []
    ]


def edit(text: str, changed: float, chance: random.Random) -> str:
    return "".join("某" if chance.random() < changed else character for character in text)


def measure_fingerprints(folder: Path, own: Path, strangers: Path | None) -> None:
    begun = time.process_time()
    size = sum(path.stat().st_size for path in (folder / "fingerprints").iterdir())
    train, dev, test = (rows(own, split) for split in ("train", "dev", "test"))
    chance = random.Random(1)
    known, chosen = chance.sample(train, min(200, len(train))), chance.sample(dev, min(200, len(dev)))
    kinds = {
        "200 training, whole": talks_of(known),
        "1 in 20 changed, cut": talks_of(known, 0.05, FIRST + 6),
        "1 in 10 changed, cut": talks_of(known, 0.1, FIRST + 6),
        "questions of 40, copied": copied(train, test, range(40, 100)),
        "questions of 100, copied": copied(train, test, range(100, 1 << 20)),
        "200 dev": talks_of(chosen),
        "test split": talks_of(test),
    }
    if strangers is not None:
        kinds["strangers"] = talks_of(
            [row for split in ("train", "dev", "test") for row in rows(strangers, split)]
        )
    read_s = time.process_time() - begun
    print(f"{folder}: {size / 1e6:.2f} MB of fingerprints; {own.name} read in {read_s:.1f} s")
    print(
        f"{'items':<26}{'number':>8}{'by runs':>12}{'by opening':>12}{'either':>12}{'too short':>12}{'CPU s':>8}"
    )
    for name, talks in kinds.items():
        begun = time.process_time()
        print(f"{name:<26}{found_share(folder, talks)}{time.process_time() - begun:>8.1f}")


def in_use(data: Path) -> Path:
    stage = data / "3_corpus"
    return stage / (stage / "current").read_text("utf-8").strip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Count leaks between test and training text by brute force.")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--random-splits", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fingerprints", type=Path, help="folder that holds fingerprints/")
    parser.add_argument("--strangers", type=Path, help="data folder whose corpus has nothing to do with them")
    options = parser.parse_args()
    folder = in_use(options.data)
    if options.fingerprints:
        measure_fingerprints(
            options.fingerprints, folder, in_use(options.strangers) if options.strangers else None
        )
        return 0
    train, dev, test = (rows(folder, split) for split in ("train", "dev", "test"))
    seeds = json.loads((folder / "manifest.json").read_text("utf-8"))["seeds"]
    print(f"{folder.name}: {len(train):,} train, {len(dev):,} dev, {len(test):,} test; seeds {seeds}")
    print(
        f"{'split':<18}{'questions':>10}{'beginning':>11}{'jaccard':>11}{'leaks':>9}{'share':>8}{'inside':>9}"
    )
    ours = report("ours", test, train)
    report("ours, dev", dev, train)
    for number in range(options.random_splits):
        seed = options.seed + number
        mixed = train + dev + test
        random.Random(seed).shuffle(mixed)
        cut = len(test) + len(dev)
        report(f"random, seed {seed}", mixed[: len(test)], mixed[cut:])
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
