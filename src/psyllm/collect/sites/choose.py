"""Which adapter reads a URL: the site's own by its host, else the generic one.

To add a site, write its adapter in a file of its own and name it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psyllm.collect.sites.addresses import host_of, split
from psyllm.collect.sites.contract import Adapter
from psyllm.collect.sites.generic import Generic
from psyllm.collect.sites.tianya import Tianya
from psyllm.collect.sites.yixinli import Yixinli
from psyllm.collect.sites.zhihu import Zhihu
from psyllm.core.addresses import meant_by

SITES = {"zhihu": Zhihu, "yixinli": Yixinli, "tianya": Tianya}


def adapters(base_urls: Mapping[str, str] | None = None) -> tuple[Adapter, ...]:
    """Return all adapters, the generic one last; `base_urls` names copies of sites by the site's name."""
    served = base_urls or {}
    return (*(site(base_url=served.get(name, "")) for name, site in SITES.items()), Generic())


def choose(url: str, known: Iterable[Adapter]) -> Adapter:
    """Return the first adapter that names the URL's host, else the first that names none.

    Raises:
        LookupError: no adapter is for any host, and none for this one.
    """
    parts = split(url)
    host = host_of(parts) if parts else ""
    every = tuple(known)
    fitting = next((adapter for adapter in every if host in adapter.hosts), None)
    found = fitting or next((adapter for adapter in every if not adapter.hosts), None)
    if found is None:
        raise LookupError(host)
    return found


def thread_key(url: str, known: Iterable[Adapter]) -> str:
    """Return site and thread that an address belongs to, as records of it are keyed; empty where no site is known.

    As a person gives it an address may lack the scheme or end in a slash.
    """
    every = tuple(known)
    for spelling in (url, f"https://{meant_by(url)}"):
        adapter = choose(spelling, every)
        thread = adapter.thread_of(spelling) if adapter.hosts else ""
        if thread:
            return f"{adapter.name}-{thread}"
    return ""
