"""Which files decide what the screening and the guard say; their hashes bind a release to them.

A package folder comes in, one hash of each out. Rules alone are not enough: how a
text is folded, cut into sentences and counted decides as much as the patterns do.
That the lists are whole is a test (tests/safety/test_made_of.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

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
    "safety/directory.py",
    "safety/fluency.npz",
    "safety/fluency.py",
    "safety/fluency.toml",
    "safety/fluency_weights.toml",
    "safety/guard.py",
    "safety/guard.toml",
    "safety/help_lines.toml",
    "text/ngrams.py",
    "text/parts_of_speech.py",
    "text/sentences.py",
)


def guard_version(package: Path = PACKAGE) -> str:
    """Return the hash of all that decides whether the guard lets a text pass."""
    return _hash_of(package, GUARD_FILES)


def screen_version(package: Path = PACKAGE) -> str:
    """Return the hash of all that decides which level the screening finds."""
    return _hash_of(package, SCREEN_FILES)


def _hash_of(package: Path, files: Sequence[str]) -> str:
    whole = hashlib.sha256()
    for name in files:
        whole.update(hashlib.sha256((package / name).read_bytes()).digest())
    return whole.hexdigest()[:16]
