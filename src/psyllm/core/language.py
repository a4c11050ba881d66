"""The languages in which the service itself speaks; answers stay in the language they were written in."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """A language of fixed texts; Chinese is what everything falls back to."""

    ZH = "zh"
    EN = "en"
