"""One spelling for each URL, so that one page is fetched once.

A link as it was found comes in; its canonical form goes out, or an empty string
for what no crawler should follow (other schemes, addresses that can be read in
two ways, more parameters than a page has). Canonical is what the site adapters call
so, and further: escapes in one form, parameters in order, no session in the
address. Nothing here knows the permission.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urljoin, urlsplit, urlunsplit

from psyllm.collect.sites.addresses import canonical as spelled
from psyllm.collect.sites.addresses import split

MOST_URL_CHARS = 1000
# More than any list page of the sites we know (Zhihu's feed has 6); what has more multiplies without end.
MOST_PARAMETERS = 8
# /a/b/a/b/a/b: a relative link on a page that answers to every path.
MOST_REPEATS = 3
# A session in the address makes every page new on every visit.
_SESSION = re.compile(r"(jsessionid|phpsessid|sid|session_?id)", re.IGNORECASE)
_SESSION_IN_PATH = re.compile(r";(jsessionid|phpsessid|sid)=[^/;]*", re.IGNORECASE)
_PATH_SAFE = "/:@!$&'()*+,;=~-._"


@lru_cache(maxsize=1 << 16)
def canonical(url: str) -> str:
    """Return the one spelling of an absolute URL, or an empty string for one not to follow."""
    if len(url) > MOST_URL_CHARS:
        return ""
    try:
        parts = split(spelled(url))
        host = "" if parts is None else (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return ""
    if parts is None or not host or "@" in urlsplit(url).netloc:
        return ""
    path = _path(parts.path)
    pairs = _pairs(parts.query)
    if not path or pairs is None or is_repeating(path):
        return ""
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, path, urlencode(pairs), ""))


def joined(page: str, link: str) -> str:
    """Return the canonical form of a link as it stands on a page, or an empty string."""
    try:
        return canonical(urljoin(page, link.strip()))
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """Return scheme, host and port of a canonical URL: what one robots.txt speaks for (RFC 9309, 2.3)."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}"


def is_repeating(path: str) -> bool:
    """Return whether a path says the same piece again and again."""
    parts = [part for part in path.split("/") if part]
    return any(parts.count(part) > MOST_REPEATS for part in set(parts))


def _path(path: str) -> str:
    """Return the path with its escapes in one form; empty for one that can be read in two ways."""
    if "\\" in path:
        return ""
    raw = unquote_to_bytes(_SESSION_IN_PATH.sub("", path))
    if b"%" in raw or b"\\" in raw or any(part in {b".", b".."} for part in raw.split(b"/")):
        # An escaped escape, or a segment that the server resolves and we do not.
        return ""
    if b"%2f" in path.lower().encode():  # an escaped slash is another path than a slash
        return "/" + path.lstrip("/") if path.isascii() and path.isprintable() else ""
    return "/" + quote(raw, safe=_PATH_SAFE).lstrip("/")


def _pairs(query: str) -> list[tuple[str, str]] | None:
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace", separator="&")
    kept = sorted(pair for pair in pairs if not _SESSION.fullmatch(pair[0]))
    return kept if len(kept) <= MOST_PARAMETERS else None
