"""Which links of a page are worth asking for, by the site's adapter and the limits against traps.

A fetched page comes in; the URLs to ask for go out, in the permission's scope, in
one spelling each, not deeper than allowed. A step through a list or through the
pages of one thread of a site that we know is no depth; on an unknown site every
step is, so that an endless calendar ends. Nothing here fetches.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable

from psyllm.collect.crawl.addresses import canonical
from psyllm.collect.crawl.permission import Permission
from psyllm.collect.frontier.contract import Ask, host_of
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import SITES, adapters, choose
from psyllm.collect.sites.contract import Adapter, Page
from psyllm.collect.sites.generic import Generic
from psyllm.collect.sites.walls import may_be_wall

# Steps along a list or a thread, for an adapter that knows its site.
_STEPS = frozenset({"list", "answers"})
MOST_KNOWN = 200_000
# Of an unknown site's one path so many sets of parameters are asked for by a worker: filters and orders of one list
# multiply without end, and pages of a list come first.
MOST_QUERIES = 300
# A short page of a site that we know is a wall at once when there is nothing but one to read on it.
SHORT_BYTES = 12_000
# A long one, or one of a site that we don't know, may be a mistake, ours or the site's; so many in a row are none,
# nor are so many of a host's last pages: some walls let every third request pass.
WALLS_IN_A_ROW = 3
MOST_WALLS, OF_THE_LAST = 5, 10
_WALLS = frozenset({"login", "captcha", "waf", "overload"})


class Reader:
    """Which adapter reads a URL: that of the site whose copy the permission names, else by host."""

    def __init__(self, permission: Permission) -> None:
        copies = (
            SITES[scope.site](base_url=f"http://{host}")
            for scope in permission.scope
            if scope.site
            for host in scope.hosts
        )
        self._adapters = (*copies, *adapters())
        self._by_host: dict[str, Adapter] = {}

    def __call__(self, url: str) -> Adapter:
        """Return the adapter for a URL."""
        host = host_of(url)
        if host not in self._by_host:
            self._by_host[host] = choose(url, self._adapters)
        return self._by_host[host]

    def close(self) -> None:
        """End what adapters hold."""
        for adapter in self._adapters:
            if isinstance(adapter, Generic):
                adapter.close()


class Finder:
    """Finds links; remembers those that the frontier has acknowledged, to ask for each once."""

    def __init__(
        self, adapter_for: Callable[[str], Adapter], covers: Callable[[str], bool], most_depth: int
    ) -> None:
        self._adapter_for = adapter_for
        self._covers = covers
        self._most_depth = most_depth
        self._known: set[str] = set()
        self._queries: Counter[str] = Counter()
        self._walls: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=OF_THE_LAST))
        self._nobody = Authors(b"\x00" * 32)  # a wall names no author; nothing hashed here is kept

    def found(self, page: Page, depth: int) -> tuple[Ask, ...]:
        """Return what a page leads to."""
        adapter = self._adapter_for(page.url)
        asks: dict[str, Ask] = {}
        for link in adapter.links(page):
            url = canonical(link.url)
            if not url or url in asks or url in self._known or not self._covers(url):
                continue
            deeper = depth if adapter.hosts and link.kind in _STEPS else depth + 1
            if deeper <= self._most_depth and (adapter.hosts or not self._multiplies(url)):
                asks[url] = Ask(url, link.kind, deeper)
        return tuple(asks.values())

    def wall(self, page: Page) -> str:
        """Return the wall that a page is, or an empty string; where it may be a mistake, after several only."""
        adapter = self._adapter_for(page.url)
        stop = self._wall(adapter, page)
        if adapter.hosts and len(page.body) <= SHORT_BYTES:
            return stop
        walls = self._walls[host_of(page.url)]
        walls.append(bool(stop))
        in_a_row = len(walls) >= WALLS_IN_A_ROW and all(list(walls)[-WALLS_IN_A_ROW:])
        return stop if in_a_row or walls.count(True) > MOST_WALLS else ""

    def _wall(self, adapter: Adapter, page: Page) -> str:
        if adapter.kind_of(page.url) == "other":
            return ""
        if not (adapter.hosts and len(page.body) <= SHORT_BYTES) and not may_be_wall(page):
            return ""  # reading an unknown page or a long one takes long
        stop = adapter.read(page, self._nobody).stop
        return stop if stop in _WALLS else ""

    def start(self, url: str) -> Ask:
        """Return a start of the permission as a URL to ask for."""
        address = canonical(url)
        return Ask(address, self._adapter_for(address).kind_of(address), 0)

    def _multiplies(self, url: str) -> bool:
        path, sign, _ = url.partition("?")
        if sign:
            self._queries[path] += 1
        return self._queries[path] > MOST_QUERIES

    def acknowledged(self, asks: Iterable[Ask]) -> None:
        """Remember URLs that the frontier holds for sure."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known.update(ask.url for ask in asks)
