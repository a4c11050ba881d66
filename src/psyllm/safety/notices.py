"""Fixed texts that the service sends when it must not improvise.

A screening comes in, the name of a notice goes out; the words stand in
`notices.toml`, in every language of the service. Nothing here is generated, and no notice claims that anybody
was told of anything.
"""

from __future__ import annotations

import functools
import tomllib
from enum import StrEnum
from pathlib import Path

from psyllm.core.language import Language
from psyllm.safety.levels import About, Level
from psyllm.safety.screen import Screening

NOTICES = Path(__file__).parent / "notices.toml"


class Notice(StrEnum):
    """The notices by name."""

    IN_PROGRESS = "in_progress"
    URGENT = "urgent"
    RISK = "risk"
    OTHER_IN_DANGER = "other_in_danger"
    HARM_BY_OTHER = "harm_by_other"
    HELP = "help"
    NOT_SCREENED = "not_screened"
    HELD = "held"
    OTHER_IN_PROGRESS = "other_in_progress"

    def words(self, language: Language) -> str:
        """Return the words of the notice in a language."""
        return _texts()[self.value][language]


def notice_for(screening: Screening) -> Notice:
    """Return the notice that answers a screening; below RISK the one for a conversation held for a person.

    What is said of the greatest danger decides: whoever is strangled must not be spoken to
    of the wish to die. Where it is several people's, the visitor's own life comes first.
    """
    if screening.level < Level.RISK:
        return Notice.HELD
    about = _about(screening)
    if "harm_by_other" in about and "self" not in about:
        return Notice.HARM_BY_OTHER
    if about == {"other"}:
        is_happening = screening.level >= Level.IN_PROGRESS
        return Notice.OTHER_IN_PROGRESS if is_happening else Notice.OTHER_IN_DANGER
    return _OWN_DANGER[screening.level]


_OWN_DANGER = {
    Level.RISK: Notice.RISK,
    Level.URGENT: Notice.URGENT,
    Level.IN_PROGRESS: Notice.IN_PROGRESS,
}


def _about(screening: Screening) -> set[About]:
    return {reason.about for reason in screening.reasons if reason.level >= screening.level}


@functools.cache
def _texts() -> dict[str, dict[Language, str]]:
    tables = tomllib.loads(NOTICES.read_text("utf-8"))
    return {name: {one: table[one].strip() for one in Language} for name, table in tables.items()}
