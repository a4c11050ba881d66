"""Fits the tables of `clean.linear_score`: which n-grams tell one kind of text from another.

Texts of two kinds come in, a table goes out: a logistic regression with a ridge
over the shares of hashed n-grams, weights rounded to a byte. Also reads the
folder of outside test data as plain dialogues. The scripts `persona.py`,
`roles.py` and `topic.py` say which texts.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from psyllm.clean.linear_score import BITS, LinearScore, buckets
from psyllm.safety.report import wilson

DATA = Path(os.environ.get("PSYLLM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
SCALE = 20.0  # a typical share of one n-gram is a thousandth; this brings weights near 1
_CPSYCOUN_TURN = re.compile(r"(来访者|心理咨询师)[：:](.*?)(?=来访者[：:]|心理咨询师[：:]|\Z)", re.DOTALL)

VISITOR_NAMES = ("client", "来访者")
Turns = list[tuple[str, str]]  # role and text


def fit(
    wanted: Sequence[str], others: Sequence[str], *, ridge: float = 2e-6, biased: bool = True
) -> LinearScore:
    """Return a table that scores texts of the first kind above zero; both kinds weigh the same.

    Without a bias a text of which nothing is known scores zero.
    """
    texts = [*wanted, *others]
    features = _features(texts)
    signs = np.array([1.0] * len(wanted) + [-1.0] * len(others))
    share = np.where(signs > 0, 0.5 / len(wanted), 0.5 / len(others))

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, bias = values[:-1], values[-1]
        margins = signs * (features @ weights + bias)
        slopes = -share * signs / (1 + np.exp(np.clip(margins, -500, 500)))
        gradient = np.append(features.T @ slopes + 2 * ridge * weights, slopes.sum() if biased else 0.0)
        return float(share @ np.logaddexp(0, -margins) + ridge * weights @ weights), gradient

    found = minimize(loss, np.zeros(2**BITS + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights = found.x[:-1]
    largest = float(np.quantile(np.abs(weights[weights != 0]), 0.9995))
    rounded = np.clip(np.round(weights / largest * 127), -127, 127).astype(np.int8)
    return LinearScore(rounded, SCALE * largest / 127, float(found.x[-1]))


def save(score: LinearScore, path: Path) -> None:
    """Write a table; equal tables make equal bytes."""
    np.savez_compressed(
        path, weights=score.weights, scale=np.float64(score.scale), bias=np.float64(score.bias)
    )


def smilechat(limit: int | None = None) -> list[Turns]:
    """Return the dialogues of SmileChat."""
    found = []
    with lzma.open(DATA / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number == limit:
                break
            turns = json.loads(line)["dialog"]
            found.append([(_role(turn["role"]), turn["content"]) for turn in turns])
    return found


def cpsycoun() -> list[Turns]:
    """Return the dialogues of CPsyCounD."""
    with tarfile.open(DATA / "cpsycoun" / "CPsyCounD.tar.xz") as archive:
        files = sorted((m for m in archive.getmembers() if m.name.endswith(".txt")), key=lambda m: m.name)
        texts = [part.read().decode("utf-8") for m in files if (part := archive.extractfile(m))]
    return [[(_role(who), said.strip()) for who, said in _CPSYCOUN_TURN.findall(text)] for text in texts]


def conversations(name: str) -> list[Turns]:
    """Return the dialogues of a file in EmoLLM's form: `emollm/data` or `reject/persona_…`."""
    rows = json.loads(lzma.decompress((DATA / f"{name}.json.xz").read_bytes()))
    return [
        [
            pair
            for part in row["conversation"]
            for pair in (("visitor", part["input"]), ("counsellor", part["output"]))
        ]
        for row in rows
    ]


def wiki() -> list[str]:
    """Return the articles of the wiki as they are, without front matter."""
    with tarfile.open(DATA / "psywiki" / "docs.tar.xz") as archive:
        files = sorted((m for m in archive.getmembers() if m.name.endswith(".md")), key=lambda m: m.name)
        texts = [part.read().decode("utf-8") for m in files if (part := archive.extractfile(m))]
    return [re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL) for text in texts]


def said(turns: Turns, role: str) -> str:
    """Return all that one side says, a turn a line."""
    return "\n".join(text for who, text in turns if who == role)


def share(found: NDArray[np.bool_]) -> str:
    """Return the share of what was found with Wilson's interval, in percent."""
    low, high = wilson(int(found.sum()), len(found))
    return f"{found.mean():7.2%} ({low:.2%} to {high:.2%})"


def _role(name: str) -> str:
    return "visitor" if name in VISITOR_NAMES else "counsellor"


def _features(texts: Sequence[str]) -> csr_matrix:
    places: list[NDArray[np.uint32]] = []
    amounts: list[NDArray[np.floating]] = []
    for text in texts:
        found = buckets(text)
        kinds, counts = np.unique(found, return_counts=True)
        places.append(kinds)
        amounts.append(counts * (SCALE / max(len(found), 1)))
    starts = np.concatenate(([0], np.cumsum([len(kinds) for kinds in places])))
    return csr_matrix((np.concatenate(amounts), np.concatenate(places), starts), shape=(len(texts), 2**BITS))
