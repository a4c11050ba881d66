"""Texts with planted duplicates, and how well a cleaner found them.

Dialogues of SmileChat (outside data) come in; records go out: the originals and
edited copies of some. Every pair's similarity is computed exactly, so that the
measure knows what a cleaner should have found. Nothing here is psyllm's own
way of finding duplicates but the exact join of `text/near_pairs.py`, which a
test of that room holds against brute force.
"""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from psyllm.text.hashed_ngrams import without_space
from psyllm.text.near_pairs import NearPairs

LEAST = 0.8
WORDS = "我你他的了是在有不这那就也都会说要能去来想看好多少人天时候觉得知道可以没有什么怎么因为所以但是"


class Found(NamedTuple):
    """Pairs at or above 0.8 of which one was left out, all of these pairs, and records left out rightly."""

    pairs_found: int
    pairs: int
    right: int
    left_out: int

    @property
    def recall(self) -> float:
        """Return the share of the planted near pairs that were found."""
        return self.pairs_found / max(1, self.pairs)

    @property
    def precision(self) -> float:
        """Return the share of what was left out that has a near duplicate."""
        return self.right / max(1, self.left_out)


def smilechat(outside: Path, most: int) -> Iterator[list[dict[str, str]]]:
    """Yield the dialogues of SmileChat."""
    with lzma.open(outside / "smilechat" / "train.jsonl.xz") as lines:
        for number, line in enumerate(lines):
            if number == most:
                return
            yield json.loads(line)["dialog"]


def with_copies(dialogues: Iterable[list[dict[str, str]]], seed: int = 7) -> Iterator[list[dict[str, str]]]:
    """Yield each dialogue, and for one in ten an edited copy (0 to 30 % of its characters) as well."""
    chance = random.Random(seed)
    for number, dialogue in enumerate(dialogues):
        yield dialogue
        if number % 10 == 0:
            rate = chance.choice((0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3))
            yield [{**turn, "content": _edited(turn["content"], chance, rate)} for turn in dialogue]


def judge(texts: list[str], stays: set[int]) -> Found:
    """Return how many near pairs were broken up, and how many left out had a near one."""
    bare = [without_space(text) for text in texts]
    near: set[tuple[int, int]] = set()
    join = NearPairs(bare, LEAST)
    for start in range(0, len(bare), 256):
        for index, given in join.find(bare[start : start + 256]):
            if start + index != given:
                near.add((min(start + index, given), max(start + index, given)))
    in_a_pair = {place for pair in near for place in pair}
    left_out = set(range(len(texts))) - stays
    found = sum(not (left in stays and right in stays) for left, right in near)
    return Found(found, len(near), len(left_out & in_a_pair), len(left_out))


def _edited(text: str, chance: random.Random, rate: float) -> str:
    characters = list(text)
    for place in range(len(characters)):
        if chance.random() < rate:
            action = chance.randrange(3)
            characters[place] = ("", chance.choice(WORDS), characters[place] + chance.choice(WORDS))[action]
    return "".join(characters)
