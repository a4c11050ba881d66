"""Scrapy's downloader, stripped to one GET that keeps nothing and follows nothing.

A URL comes in, and what came back or a fault goes out. No cookies, no Referer, no
redirects, no retries, no proxy of the environment; the body is unpacked, and cut
off with a fault where it grows beyond what a page may have. Who we are and how to
reach us stands in every request. When to send is not decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from scrapy import Request
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.web.client import ResponseFailed

from psyllm.collect.crawl.answers import Fault, Fetched
from psyllm.collect.crawl.permission import Permission

if TYPE_CHECKING:
    from scrapy.core.engine import ExecutionEngine

# In this order: some are kinds of others.
_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (DownloadTimeoutError, "timeout"),
    (DownloadConnectionRefusedError, "connection_refused"),
    (CannotResolveHostError, "no_such_host"),
    (DownloadCancelledError, "too_large"),
    (IgnoreRequest, "too_large"),  # what unpacks to more than allowed
    (ResponseDataLossError, "cut_off"),
    (UnsupportedURLSchemeError, "scheme"),
    (DownloadFailedError, "dropped"),
    (ResponseFailed, "dropped"),
    (ConnectionClosed, "dropped"),
    (ConnectError, "no_connection"),
    (OSError, "no_connection"),
    (ValueError, "not_http"),
    (Exception, "undecodable"),  # each packing (gzip, br, zstd …) breaks in words of its own
)


class Silent:
    """Scrapy's log formatter that writes no URL into a log: an address can say what somebody asked."""

    def crawled(self, *_: object) -> None:
        """Say nothing."""


def scrapy_settings(most_bytes: int) -> dict[str, Any]:
    """Return Scrapy's settings with everything off that we do ourselves or must not do."""
    return {
        "ROBOTSTXT_OBEY": False,  # ours is asked first, and fails closed
        "DOWNLOADER_MIDDLEWARES_BASE": {
            "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": 590
        },
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {},
        "TELNETCONSOLE_ENABLED": False,
        "AUTOTHROTTLE_ENABLED": False,
        "COOKIES_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "RETRY_ENABLED": False,
        # The worker sends one request a host at a time; Scrapy's own limits must not queue behind ours.
        "CONCURRENT_REQUESTS": 0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1024,
        "DOWNLOAD_DELAY": 0,
        "DOWNLOAD_MAXSIZE": most_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,  # off by default; who answers in a site's place could allow anything
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
        "LOG_FORMATTER": f"{Silent.__module__}.{Silent.__name__}",
        "DEFAULT_REQUEST_HEADERS": {},
        "REQUEST_FINGERPRINTER_CLASS": "scrapy.utils.request.RequestFingerprinter",
    }


def hush() -> None:
    """Keep what Scrapy and Twisted log of URLs off the screen."""
    for name in ("scrapy", "twisted", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def identity(permission: Permission) -> dict[str, str]:
    """Return the headers that say who we are: an honest User-Agent, From, and what we can read."""
    headers = {
        "User-Agent": f"psyllm/{metadata.version('psyllm')} (+{permission.contact})",
        "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,text/plain;q=0.8",
        "Accept-Language": "zh-CN,zh;q=0.9",
    }
    return headers | ({"From": permission.mail} if permission.mail else {})


class Downloader:
    """One GET at a time, as often as asked."""

    def __init__(self, engine: ExecutionEngine, headers: Mapping[str, str], timeout_s: float) -> None:
        self._engine = engine
        self._headers = dict(headers)
        self._timeout_s = timeout_s

    async def get(self, url: str, most_bytes: int = 0) -> Fetched | Fault:
        """Return what came back; `most_bytes` above 0 is a limit below the crawl's own."""
        meta: dict[str, Any] = {"download_timeout": self._timeout_s, "verbatim_url": True}
        if most_bytes:
            meta["download_maxsize"] = most_bytes
        try:
            response = await self._engine.download_async(
                Request(url, headers=self._headers, meta=meta, dont_filter=True)
            )
        except tuple(kind for kind, _ in _FAULTS) as error:
            return Fault(next(reason for kind, reason in _FAULTS if isinstance(error, kind)))
        headers = {
            name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
            for name, values in response.headers.items()
        }
        return Fetched(url, response.status, headers, response.body, "partial" not in response.flags)
