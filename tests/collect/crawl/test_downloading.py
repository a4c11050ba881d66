import asyncio
import gzip

import pytest
from scrapy.downloadermiddlewares.httpcompression import HttpCompressionMiddleware
from scrapy.http import Response
from scrapy.settings import Settings
from scrapy.signalmanager import SignalManager

from psyllm.collect.crawl.answers import Fault
from psyllm.collect.crawl.downloading import Downloader, identity, scrapy_settings


def test_nothing_of_scrapys_own_acts_beside_ours_and_certificates_are_checked():
    settings = scrapy_settings(1000)
    for name in (
        "ROBOTSTXT_OBEY",
        "COOKIES_ENABLED",
        "REDIRECT_ENABLED",
        "RETRY_ENABLED",
        "AUTOTHROTTLE_ENABLED",
    ):
        assert settings[name] is False
    assert settings["DOWNLOAD_VERIFY_CERTIFICATES"] is True
    assert settings["DOWNLOAD_MAXSIZE"] == 1000
    assert list(settings["DOWNLOADER_MIDDLEWARES_BASE"]) == [
        "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware"
    ]


def test_a_page_as_contact_is_no_mail_address():
    class WithPage:
        contact = "https://institute.example/crawler"
        mail = ""

    headers = identity(WithPage)
    assert headers["User-Agent"].endswith("(+https://institute.example/crawler)")
    assert "From" not in headers
    assert "Cookie" not in headers
    assert "Referer" not in headers


class Unpacking:
    """Answers with bytes as they were sent, unpacked by Scrapy's own middleware."""

    stats = None
    settings = Settings(scrapy_settings(1000))

    def __init__(self, packing, body):
        self.signals = SignalManager()
        self.packing, self.body = packing, body

    async def download_async(self, request):
        sent = Response(request.url, headers={"Content-Encoding": self.packing}, body=self.body)
        return HttpCompressionMiddleware(crawler=self).process_response(request, sent)


def got(packing, body):
    downloader = Downloader(Unpacking(packing, body), {}, 1)
    return asyncio.run(downloader.get("http://site.example/a"))


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("gzip", b"\x1f\x8b\x08\x00garbage"),
        ("br", b"\xff\xffgarbage" * 20),
        ("deflate", b"garbage" * 30),
        ("zstd", b"garbage" * 30),
    ],
)
def test_what_can_not_be_unpacked_is_a_fault(packing, body):
    assert isinstance(got(packing, body), Fault)


def test_what_unpacks_to_more_than_a_page_is_a_fault_and_what_fits_is_none():
    assert got("gzip", gzip.compress(b"0" * 60_000)) == Fault("too_large")
    assert got("gzip", gzip.compress(b"0" * 600)).body == b"0" * 600
