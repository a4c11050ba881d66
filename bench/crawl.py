"""The crawler against a local site of more than 10,000 pages with faults, judged by what the site saw.

Prints three tables. Speed: pages a second on one core with every gate on, beside
plain Scrapy (no gate, the same pages, selectors, JSON Lines) in the same run; the
site runs on another core. Politeness: the smallest gap between two requests to a
host while three workers share it. Crashes: one of two workers killed with signal 9
at random moments, on SQLite and on Redis; lost, stored twice, disallowed requests.
Nothing outside this machine is asked.

    python bench/crawl.py [--quick] [--rounds N] [--only speed|gap|kill]
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
CORES = sorted(os.sched_getaffinity(0))
SITE_CORE, OUR_CORE = CORES[0], CORES[-1]
GOAL_PAGES_S = 244  # plain Scrapy 2.19 in design/data.md, section 2
# About 42 KB a page, as there: ten answers and a menu.
PAGE = {"padding": 7, "sentences": 12, "answers": 10}
FAULTY_ROBOTS = ("deny", "forbidden", "too_many", "overload", "html", "drop", "loop", "huge")
WALLS = ("login", "waf", "captcha")


class Ground(Protocol):
    """A site that runs, as `tests/crawl_ground.py` has it."""

    def host(self, index: int) -> str:
        """Return a host's address."""

    def paths(self, index: int) -> list[str]:
        """Return what a host was asked."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument("--rounds", type=int, default=20, help="kills on each store")
    parser.add_argument("--only", choices=["speed", "gap", "kill"], help="one table")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        child(said.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if said.only in {None, "speed"}:
            print_speed(place, questions=60 if said.quick else 1000, hosts=2 if said.quick else 10)
        if said.only in {None, "gap"}:
            print_gaps(place, questions=10 if said.quick else 100)
        if said.only in {None, "kill"}:
            print_kills(place, 1 if said.quick else said.rounds)


def grounds(name: str = "crawl_ground") -> ModuleType:
    """Return a module that the tests stand on; it is no part of the package."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def print_speed(place: Path, questions: int, hosts: int) -> None:
    good = [{"questions": questions, **PAGE} for _ in range(hosts)]
    faulty = [{"questions": questions // 10, "faults": True, **PAGE} for _ in range(2)]
    denied = [{"questions": 20, "robots": word} for word in FAULTY_ROBOTS]
    walled = [{"questions": 40, "wall": wall} for wall in WALLS]
    site: list[dict[str, Any]] = [*good, *faulty, *denied, *walled]
    with grounds().served(place / "speed", site, core=SITE_CORE) as ground:
        permission = ground.permission(starts=starts_of(ground, site))
        ours = on_one_core("ours", str(ground.data), str(permission))
        seen = [row for row in ground.seen() if row["host"] < len(good) + len(faulty)]
        plain = on_one_core("plain", *(f"http://{ground.host(n)}/qa?page=1" for n in range(hosts)))
    wrong = [name for name, count in forbidden(ground, site).items() if count]
    print(
        f"site: {len(site)} hosts, {ours['pages']:,} pages kept, {ours['page_bytes']:,} bytes a page, {ours['stored_bytes']:,} stored"
    )
    print(f"requests to hosts that said no, or after a wall: {wrong or 0}; requests seen: {len(seen):,}")
    print(f"{'':34}{'pages':>8}{'CPU s':>9}{'wall s':>9}{'pages/CPU s':>13}{'pages/wall s':>13}")
    rows = {
        "psyllm, every gate on": (ours["pages"], ours["cpu_s"], ours["wall_s"]),
        "psyllm, and records written": (ours["pages"], ours["cpu_s"] + ours["records_cpu_s"], 0.0),
        "plain Scrapy, selectors, jsonl": (plain["pages"], plain["cpu_s"], plain["wall_s"]),
    }
    for name, (pages, cpu_s, wall_s) in rows.items():
        by_wall = f"{pages / wall_s:13.0f}" if wall_s else f"{'-':>13}"
        print(f"{name:34}{pages:8,}{cpu_s:9.1f}{wall_s:9.1f}{pages / cpu_s:13.0f}{by_wall}")
    ratio = (ours["pages"] / ours["cpu_s"]) / (plain["pages"] / plain["cpu_s"])
    print(f"ratio to plain Scrapy: {ratio:.2f}; goal: {GOAL_PAGES_S} pages a CPU second")


def starts_of(ground: Ground, site: list[dict[str, Any]]) -> list[str]:
    starts = [f"http://{ground.host(n)}/qa?page=1" for n in range(len(site))]
    denied = [n for n, host in enumerate(site) if "robots" in host]
    return starts + [f"http://{ground.host(n)}/qa/{page}" for n in denied for page in range(1, 9)]


def forbidden(ground: Ground, site: list[dict[str, Any]]) -> dict[str, int]:
    """Count what must not have been asked: anything but robots.txt where it is no, and after a wall."""
    found = {}
    for index, host in enumerate(site):
        # Plain Scrapy visits the good hosts too, but never these.
        paths = ground.paths(index) if "robots" in host or "wall" in host else []
        asked = [path for path in paths if not path.startswith("/robots.txt")]
        if "robots" in host:
            found[f"robots {host['robots']}"] = len(asked)
        elif "wall" in host:
            found[f"wall {host['wall']}"] = len(asked) - asked.index("/qa/5") - 1
    return found


def on_one_core(*words: str) -> dict[str, Any]:
    """Run one of the two crawlers in a process of its own, on one core."""
    command = ["taskset", "-c", str(OUR_CORE), sys.executable, __file__, "--child", *words]
    environment = {
        **os.environ,
        "PSYLLM_AUTHOR_KEY_FILE": str(Path(tempfile.gettempdir()) / "psyllm-bench.key"),
    }
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def child(words: list[str]) -> None:
    result = ours(Path(words[1]), Path(words[2])) if words[0] == "ours" else plain(words[1:])
    print(json.dumps(result))


def ours(data: Path, permission: Path) -> dict[str, Any]:
    """One worker, in this process so that its CPU seconds can be told from all others."""
    from psyllm.collect.crawl.crawling import Crawl
    from psyllm.collect.crawl.finding import Finder, Reader
    from psyllm.collect.crawl.segments import read_page
    from psyllm.collect.crawl.worker_process import work
    from psyllm.collect.frontier.open import open_frontier
    from psyllm.core.collect_settings import CrawlSettings

    settings = CrawlSettings(robots_rest_s=0.3, timeout_s=3)
    crawl = Crawl(settings, data, permission)
    frontier, clock = open_frontier(crawl.where, crawl=crawl.permission.source)
    finder = Finder(Reader(crawl.permission), crawl.permission.covers, settings.most_depth)
    frontier.add([finder.start(url) for url in crawl.permission.starts])
    (plan,) = crawl.plans(frontier)
    _, end = multiprocessing.Pipe()
    began, wall = time.process_time(), time.perf_counter()
    work(plan, end)
    cpu_s, wall_s = time.process_time() - began, time.perf_counter() - wall
    kept = frontier.counts()["stored"]
    stored_bytes = sum(path.stat().st_size for path in crawl.segments.iterdir())
    sample = [read_page(crawl.segments, where) for _, _, where in islice(frontier.stored(), 200)]
    frontier.close()
    clock.close()
    began = time.process_time()
    manifest = crawl.run()
    return {
        "pages": kept,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "records_cpu_s": time.process_time() - began,
        "records": manifest.counts["records"],
        "stored_bytes": stored_bytes // kept,
        "page_bytes": sorted(len(page.body) for page in sample)[len(sample) // 2],
    }


def plain(starts: list[str]) -> dict[str, Any]:
    """Scrapy as it comes, asking nobody: the same pages, selectors, JSON Lines."""
    from scrapy import Request, Spider
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.http import Response, TextResponse

    out = Path(tempfile.mkdtemp()) / "items.jsonl"
    pages = 0

    class Plain(Spider):
        name = "plain"

        async def start(self) -> AsyncIterator[Request]:
            for url in starts:
                yield Request(url, callback=self.parse)

        def parse(self, response: Response) -> Iterator[Request | dict[str, Any]]:
            nonlocal pages
            pages += 1
            assert isinstance(response, TextResponse)
            for href in response.css(
                "#left ul.content > li p.title > span > a::attr(href), #left > a::attr(href)"
            ):
                if href.get().startswith("/qa"):
                    yield response.follow(href.get().partition("?utm")[0], callback=self.parse)
            title = response.css("div.title h1::text").get()
            if title is None:
                return
            if (
                int(response.css(".title strong::text").re_first(r"\d+") or 0) > 10
                and "?page" not in response.url
            ):
                yield response.follow("?page=2", callback=self.parse)
            answers = [
                {
                    "text": "\n".join(item.css(".text ::text").getall()),
                    "votes": item.css(".answer_zan font::text").get(),
                    "at": item.css(".created_time::text").get(),
                }
                for item in response.css("ul.content-ans > li")
            ]
            yield {
                "url": response.url,
                "title": title,
                "text": response.css("#left .content p.text::text").get(),
                "answers": answers,
            }

    settings = {
        "ROBOTSTXT_OBEY": False,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "DOWNLOAD_DELAY": 0,
        "FEEDS": {str(out): {"format": "jsonlines"}},
    }
    process = AsyncCrawlerProcess(settings)
    process.crawl(Plain)
    began, wall = time.process_time(), time.perf_counter()
    process.start()
    cpu_s, wall_s = time.process_time() - began, time.perf_counter() - wall
    shutil.rmtree(out.parent)
    return {"pages": pages, "cpu_s": cpu_s, "wall_s": wall_s}


def print_gaps(place: Path, questions: int) -> None:
    delay_s = 0.1
    site = [
        {"questions": questions},
        {"questions": questions // 2},
        {"questions": questions // 5, "robots": "delay"},
    ]
    with grounds().served(place / "gap", site, core=SITE_CORE) as ground:
        ground.crawl(ground.permission(delay_s=delay_s), "--workers", "3")
        seen = grounds().settled(lambda: [[row["at"] for row in ground.seen(n)] for n in range(len(site))])
    print("\nthree workers, gaps between two requests to one host as the site saw them")
    print(f"{'host':24}{'asked':>7}{'delay s':>9}{'least s':>9}{'median s':>10}{'least/delay':>13}")
    for name, times, asked_s in zip(
        ("first", "second", "with Crawl-delay"), seen, (delay_s, delay_s, 0.4), strict=True
    ):
        # The first gap follows robots.txt, which is asked before anybody knows of a Crawl-delay.
        gaps = sorted(later - earlier for earlier, later in pairwise(times[1:]))
        print(
            f"{name:24}{len(times):7}{asked_s:9.2f}{gaps[0]:9.3f}{gaps[len(gaps) // 2]:10.3f}{gaps[0] / asked_s:13.2f}"
        )


def print_kills(place: Path, rounds: int) -> None:
    redis_process = grounds("frontier_stores").RedisProcess
    site = [{"questions": 40}, {"questions": 40, "faults": True}, {"questions": 20, "robots": "deny"}]
    program = shutil.which("redis-server")
    stores = ["sqlite", *(["redis"] if program else [])]
    print("\none of two workers killed with signal 9 at a random moment")
    print(f"{'store':10}{'rounds':>8}{'killed':>8}{'stored':>8}{'lost':>6}{'twice':>7}{'disallowed':>12}")
    for store in stores:
        chance = random.Random(store)
        total = [0, 0, 0, 0, 0]
        for number in range(rounds):
            folder = place / f"{store}-{number}"
            folder.mkdir()
            server = redis_process(program, folder, "--appendonly", "yes") if store == "redis" else None
            with grounds().served(folder, site) as ground:
                found = grounds().killed_crawl(
                    ground, ground.permission(delay_s=0.02), chance, server.address if server else ""
                )
            if server is not None:
                server.kill()
            row = (found.killed, found.stored, len(found.lost), len(found.twice), len(found.disallowed))
            total = [have + more for have, more in zip(total, row, strict=True)]
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{store:10}{rounds:8}{total[0]:8}{total[1]:8}{total[2]:6}{total[3]:7}{total[4]:12}")
    if program is None:
        print("redis     not measured: redis-server is missing; install it: apt-get install redis-server")


if __name__ == "__main__":
    main()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    sys.stderr.write(f"peak memory of a process: {peak} MB\n")
