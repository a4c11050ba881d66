"""Scrapy with its own robots.txt middleware: the contrast that the crawler's tests need.

    python tests/scrapys_own.py URL...

Asks for all URLs at once, as a page full of links would.
"""

import sys
from collections.abc import AsyncIterator

from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess


class Plain(Spider):
    name = "plain"

    async def start(self) -> AsyncIterator[Request]:
        for url in sys.argv[1:]:
            yield Request(url, callback=self.parse)

    def parse(self, response) -> None:
        """Nothing is kept."""


if __name__ == "__main__":
    settings = {
        "ROBOTSTXT_OBEY": True,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "RETRY_ENABLED": False,
    }
    process = AsyncCrawlerProcess(settings)
    process.crawl(Plain)
    process.start()
