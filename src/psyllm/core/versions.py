"""Which versions of which libraries a run was made with.

Nothing comes in; out go names and versions of what is installed here. Nothing is imported for it.
"""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES_NAMED = (
    "psyllm",
    "pyarrow",
    "pydantic",
    "numpy",
    "rensa",
    "opencc",
    "scrapy",
    "torch",
    "transformers",
    "tokenizers",
    "sentencepiece",
    "safetensors",
    "accelerate",
    "peft",
    "trl",
)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape results, absent ones left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES_NAMED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
