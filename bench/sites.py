"""How fast pages of question-and-answer sites are read: megabytes of HTML a second, one core.

Comes in: pages that the tests make (ten answers, about 55 KB). Goes out: a table of
CPU seconds for `links` (what a crawl needs) and `read` (what an import needs), and
for the generic adapter, whose work lies in another process, of wall time.
Run: taskset -c 1 python bench/sites.py
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import adapters, choose
from psyllm.collect.sites.contract import Adapter, Page

ANSWERS = 10
ANSWER_CHARS = 1_700
LEAST_S = 1.0
FETCHED = "2020-01-02T03:04:05Z"
SHAPES = (
    ("yixinli", ""),
    ("yixinli", "gbk"),
    ("zhihu", ""),
    ("zhihu", "markup"),
    ("tianya", ""),
    ("tianya", "gbk"),
)
_SIGNS = "我你他最近总是觉得心里难过不知道怎么办工作学习家庭朋友父母孩子睡眠压力焦虑紧张孤独希望可以，。"


def main() -> None:
    """Print the table."""
    print(f"{'page':<22}{'KB':>6}{'links MB/s':>12}{'read MB/s':>12}{'pages/s':>10}")
    authors = Authors(b"k" * 32)
    for site, variant in SHAPES:
        adapter, page = _made(site, variant)
        links = _rate(partial(adapter.links, page), time.process_time)
        read = _rate(partial(adapter.read, page, authors), time.process_time)
        _print(f"{site} {variant}", page, links, read)
    adapter, page = _made("yixinli", "", "https://forum.example/5")
    links = _rate(partial(adapter.links, page), time.process_time)
    _print("generic (wall)", page, links, _rate(partial(adapter.read, page, authors), time.perf_counter))


def _made(site: str, variant: str, url: str = "") -> tuple[Adapter, Page]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    pages: Any = importlib.import_module("site_pages")
    threads: Any = importlib.import_module("made_threads")
    chance = random.Random(1)
    answers = tuple(
        threads.MadeAnswer(number, "\n".join(_text(chance, ANSWER_CHARS // 5) for _ in range(5)))
        for number in range(ANSWERS)
    )
    pages.POSTS_A_PAGE = ANSWERS
    thread = threads.Thread(5, "一个问题", _text(chance, 200), answers)
    address = url or pages.url_of(site, 5)
    return choose(address, adapters()), Page(
        address, pages.PAGES[site](thread, 1, variant), "text/html", FETCHED
    )


def _text(chance: random.Random, chars: int) -> str:
    return "".join(chance.choices(_SIGNS, k=chars))


def _rate(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return how often a second, the best of three."""
    work()
    best = 0.0
    for _ in range(3):
        began, times = clock(), 0
        while (spent := clock() - began) < LEAST_S:
            work()
            times += 1
        best = max(best, times / spent)
    return best


def _print(name: str, page: Page, links: float, read: float) -> None:
    size_mb = len(page.body) / 1e6
    print(f"{name:<22}{size_mb * 1000:>6.1f}{links * size_mb:>12.1f}{read * size_mb:>12.1f}{read:>10.0f}")


if __name__ == "__main__":
    main()
