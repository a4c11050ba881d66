"""Which files decide how screening and guard judge; their hashes bind a release to them.

A package folder comes in, one hash of each out. Rules alone are not enough: how a
text is folded, cut into words and sentences and counted decides as much as the
patterns do, and the starter corpus as much as the guard's tables: pairs of
characters that stand in it are no word salad. That the lists are whole is a test,
which reads what a run of each imports and opens (tests/safety/test_made_of.py).
Whole rooms (`core.stages.code_hash`) would void signatures for edits that decide
nothing here. Python and numpy are not in the hash; the libraries that know words are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from psyllm.core.stages import file_hash

PACKAGE = Path(__file__).parents[1]

_FOLDING = (
    "safety/patterns.py",
    "text/commonness.py",
    "text/disguises.toml",
    "text/fold.py",
    "text/han.py",
    "text/many_words.py",
    "text/needs.py",
    "text/offsets.py",
    "text/traditional.py",
)
SCREEN_FILES = (
    *_FOLDING,
    "safety/levels.py",
    "safety/lexicon.py",
    "safety/lexicon.toml",
    "safety/screen.py",
)
GUARD_FILES = (
    *_FOLDING,
    "core/records.py",
    "core/reviews.py",
    "core/starter.py",
    "safety/directory.py",
    "safety/fluency.npz",
    "safety/fluency.py",
    "safety/fluency.toml",
    "safety/fluency_weights.toml",
    "safety/guard.py",
    "safety/guard.toml",
    "safety/help_lines.toml",
    "starter/starter.json",
    "text/ngrams.py",
    "text/parts_of_speech.py",
    "text/sentences.py",
)
NOT_YET = "starter/reviews.jsonl"  # the project ships no reviews of its own; the day it does, the hash moves
SCREEN_LIBRARIES = ("opencc",)
GUARD_LIBRARIES = (*SCREEN_LIBRARIES, "rjieba")


def guard_version(package: Path = PACKAGE) -> str:
    """Return the hash of all that decides whether the guard lets a text pass."""
    reviews = (NOT_YET,) if (package / NOT_YET).exists() else ()
    return _hash_of(package, (*GUARD_FILES, *reviews), GUARD_LIBRARIES)


def screen_version(package: Path = PACKAGE) -> str:
    """Return the hash of all that decides which level screening finds."""
    return _hash_of(package, SCREEN_FILES, SCREEN_LIBRARIES)


def _hash_of(package: Path, files: Sequence[str], libraries: Sequence[str]) -> str:
    whole = hashlib.sha256()
    for name in files:
        whole.update(f"{file_hash(package / name)}\n".encode())
    for library in libraries:
        whole.update(f"{library}=={version(library)}\n".encode())
    return whole.hexdigest()[:16]
