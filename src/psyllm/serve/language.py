"""In which language the service's own texts go to whoever asks.

The page says so in `Accept-Language`. Only fixed texts have a language here;
answers are shown as they were written.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from psyllm.core.language import Language

LONGEST_HEADER_CHARS = 400


def language_of(accept: str) -> Language:
    """Return the wished language that the service speaks; Chinese where it speaks none of them.

    Source: RFC 9110, section 12.5.4; "q" weighs, equal weights go in order.
    """
    wishes = [_wish(part) for part in accept[:LONGEST_HEADER_CHARS].split(",")]
    spoken = [(weight, language) for weight, language in wishes if language is not None and weight > 0]
    return max(spoken, key=lambda wish: wish[0])[1] if spoken else Language.ZH


def _wish(part: str) -> tuple[float, Language | None]:
    tag, _, weight = part.partition(";")
    name = tag.strip().lower().split("-")[0]
    language = next((one for one in Language if one.value == name), None)
    try:
        return float("".join(weight.lower().split()).removeprefix("q=") or 1), language
    except ValueError:
        return 0.0, language


async def _asked_in(
    accept: Annotated[str, Header(alias="Accept-Language", include_in_schema=False)] = "",
) -> Language:
    return language_of(accept)


AskedIn = Annotated[Language, Depends(_asked_in)]
