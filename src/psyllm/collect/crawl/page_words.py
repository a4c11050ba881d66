"""What a page as fetched says, for looking whether a passage stands on it however the page writes it.

A page's bytes or a passage come in; folded text goes out: decoded, without tags,
escapes of JSON and HTML, and white space. It is for comparing only.
"""

from __future__ import annotations

import html
import re

from psyllm.collect.sites.decoding import decoded

_ESCAPES = re.compile(r"(?:\\+u[0-9A-Fa-f]{4})+")
_ESCAPED_MARK = re.compile(r"\\+[nrt]|\\+(?=[\"'/])")
_TAG = re.compile(r"<[^<>]*>")
_ENTITY_ROUNDS = 2  # HTML inside JSON inside HTML


def folded(text: str) -> str:
    """Return a passage without its white space."""
    return "".join(text.split())


def words_on(body: bytes, content_type: str) -> str:
    """Return all that a page says, folded; what stands in its markup and scripts, too."""
    try:
        text = decoded(body, content_type).text()
    except (LookupError, ValueError):  # a charset that is none
        text = body.decode("utf-8", "replace")
    text = _ESCAPED_MARK.sub("", _ESCAPES.sub(_characters, text))
    for _ in range(_ENTITY_ROUNDS):
        if "&" in text:
            text = html.unescape(text)
    # Both: a lone < may take words with it that no tag is.
    return f"{folded(_TAG.sub('', text))}\0{folded(text)}"


def _characters(found: re.Match[str]) -> str:
    """Return what a run of escapes says; two of them may be one character."""
    units = "".join(part[-4:] for part in re.findall(r"u[0-9A-Fa-f]{4}", found[0]))
    return bytes.fromhex(units).decode("utf-16-be", "replace")
