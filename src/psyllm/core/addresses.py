"""What an address means, however it is written down: the form by which it is forgotten.

An address comes in as a person copied it or a crawler found it; a short form
goes out that is the same for every spelling that leads to the same page. It is
for comparing only: no page can be fetched by it. What a crawler fetches has
its own canonical form in `collect`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

# Parameters that change nothing on the page: the Urchin names, and what the three sites and messengers append.
TRACKING = re.compile(
    r"utm_\w+|from|source|spm|share|share_code|share_source|sharefrom|hmsr|hmpl|hmcu|hmkw|hmci|fbclid|gclid|_t"
    r"|timestamp|isappinstalled",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(https?:)?//", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def meant_by(url: str) -> str:
    """Return host, path and telling parameters; without scheme, fragment, default port and last slash."""
    bare = _SCHEME.sub("", url.strip(), count=1) if _SCHEME.match(url.strip()) else url.strip()
    try:
        parts = urlsplit(f"//{bare}")
        host = _host(parts)
    except ValueError:
        return bare
    path = quote(re.sub(rb"/{2,}", b"/", unquote_to_bytes(parts.path)), safe="/:@!$&'()*+,;=~-._")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode(sorted(pair for pair in pairs if not TRACKING.fullmatch(pair[0])))
    return host + path.rstrip("/") + (f"?{query}" if query else "")


def _host(parts: SplitResult) -> str:
    """Return the host in one form, with a port that is not the default; never a name or password."""
    name = (parts.hostname or "").rstrip(".")
    with suppress(UnicodeError):  # no host that the net knows; only to be compared
        name = name.encode("idna").decode("ascii")
    return name if parts.port in {None, 80, 443} else f"{name}:{parts.port}"
