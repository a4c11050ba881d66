"""URLs in one canonical form, so that a page is known by one address.

Comes in: what stands in a link, and the address of its page. Goes out: an
absolute http(s) URL in lower-case host, without fragment, default port, doubled
slashes and the parameters that only tell where a reader came from.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit

from psyllm.core.addresses import TRACKING

_PORTS = {"http": ":80", "https": ":443"}


def canonical(href: str, page_url: str = "") -> str:
    """Return the canonical absolute URL, or an empty string for what no page can be fetched from."""
    try:
        return _canonical(urljoin(page_url, href.strip()))
    except ValueError:  # half a bracket, half a character, a host that is none
        return ""


def _canonical(url: str) -> str:
    parts = split(url)
    if parts is None:
        return ""
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([pair for pair in pairs if not TRACKING.fullmatch(pair[0])])
    path = parts.path or "/"
    while "//" in path:
        path = path.replace("//", "/")
    found = parts._replace(netloc=host_of(parts), path=path, query=query, fragment="").geturl()
    found.encode()  # what can't be written can't be asked for
    return found


def split(url: str) -> SplitResult | None:
    """Return the parts of an http(s) URL with a host, or None."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in _PORTS and parts.hostname and port != 0 else None


def host_of(parts: SplitResult) -> str:
    """Return the host in lower case, with its port when that is not the default; never a name or password."""
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(_PORTS.get(parts.scheme, ""))


def parameter(parts: SplitResult, name: str) -> str:
    """Return the last value of a parameter of the query, or an empty string."""
    return dict(parse_qsl(parts.query)).get(name, "")


def page_number(value: str) -> int:
    """Return a page's number; 1 for what is none."""
    return int(value) if value.isdecimal() and 0 < len(value) < 7 and int(value) > 0 else 1
