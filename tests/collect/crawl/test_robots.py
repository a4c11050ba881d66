import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect.crawl.robots import MOST_BYTES, Answer, Verdict, verdict_of
from psyllm.collect.crawl.robots_gate import MOST_TRIES, RobotsGate

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SITE = "https://www.site.example"
OPEN = b"User-agent: *\nDisallow: /private\n"


def allows(answer, path="/qa/1"):
    return verdict_of(answer, NOW).allows(SITE + path)


def test_rules_are_obeyed():
    assert allows(Answer(200, OPEN, "text/plain"))
    assert not allows(Answer(200, OPEN, "text/plain"), "/private/1")
    assert not allows(
        Answer(200, b"User-agent: *\nDisallow: /\nAllow: /tardis\n", "text/plain; charset=utf-8")
    )


def test_a_rule_for_our_name_comes_before_the_rule_for_all():
    body = b"User-agent: *\nAllow: /\n\nUser-agent: psyllm\nDisallow: /\n"
    assert not allows(Answer(200, body, "text/plain"))
    assert allows(Answer(200, b"User-agent: *\nDisallow: /\n\nUser-agent: PsyLLM\nAllow: /\n", "text/plain"))


@pytest.mark.parametrize("status", [404, 410])
def test_no_robots_txt_allows_all(status):
    assert allows(Answer(status, b"<html>not found</html>", "text/html"))


def test_an_empty_robots_txt_allows_all():
    assert allows(Answer(200, b"", "text/plain"))
    assert allows(Answer(200, b"# nothing here\n", ""))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, OPEN, "text/plain"),
        Answer(401, OPEN, "text/plain"),
        Answer(403, OPEN, "text/plain"),
        Answer(418, OPEN, "text/plain"),
        Answer(429, OPEN, "text/plain"),
        Answer(500, OPEN, "text/plain"),
        Answer(503, OPEN, "text/plain"),
        Answer(599, OPEN, "text/plain"),
        Answer(204, b"", "text/plain"),
        Answer(301, b"", "text/plain", "redirect_off_host"),
        Answer(302, b"", "text/plain", "redirect_loop"),
        Answer(0, b"", "", "timeout"),
        Answer(0, OPEN, "text/plain", "cut_off"),
        Answer(200, OPEN, "text/html"),
        Answer(200, OPEN, "application/octet-stream"),
        Answer(200, b"<!DOCTYPE html>\n<html></html>", "text/plain"),
        Answer(200, b"\xef\xbb\xbf  <html><body>User-agent: *\nAllow: /</body></html>", ""),
        Answer(200, b'{"code": 40362}', "text/plain"),
        Answer(200, b"please log in\n", "text/plain"),
        Answer(200, b"User-agent: *\nAllow: /\xff\n", "text/plain"),
        Answer(200, OPEN.decode().encode("utf-16"), "text/plain"),
        Answer(200, b"User-agent: *\nAllow: /\n\x00", "text/plain"),
        Answer(200, b"#" * MOST_BYTES + b"\n" + OPEN, "text/plain"),
    ],
)
def test_every_doubt_means_no(answer):
    assert not allows(answer)
    assert not allows(answer, "/")


@pytest.mark.parametrize(
    "body",
    [
        "User-agent: psyllm/0.1\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        "User-agent: Mozilla/5.0 (compatible; psyllm/0.1; +https://x.example)\nDisallow: /\n",
        "User-agent: Somebot, psyllm\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        "User-agent: psy*\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        "User-agent: psy\nAllow: /\n\nUser-agent: *\nDisallow: /\n",
        "User-agent: *\nDisallow：/\n",
        "User-agent：*\nDisallow: /\n",
        "User-agent: \uff0a\nDisallow: /\n",
        "\ufeff\ufeffUser-agent: *\nDisallow: /\n",
        "User-agent: x\nDisallow: /a\n\ufeffUser-agent: *\nDisallow: /\n",
        "User agent: *\rDissallow: /\r",
        "User-agent: Somebot & psyllm\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        "User-agent: x\nNoindex: /a\nUser-agent: *\nDisallow: /\n",
    ],
)
def test_a_no_in_an_unusual_spelling_is_a_no(body):
    verdict = verdict_of(Answer(200, body.encode(), "text/plain"), NOW)
    assert verdict.word == "rules"
    assert not verdict.allows(f"{SITE}/qa/1")


@pytest.mark.parametrize(
    "line",
    [
        "Disallow: qa",
        "Disallow: /a Disallow: /qa",
        "Disallow /qa",
        "Disallow: \uff0fqa",
        "Crawl-delay: 10s",
        "Crawl-delay: 1,5",
        "Crawl-delay: nan",
        "Crawl-delay: -5",
        "Request-rate: 0/1",
        "Request-rate: often",
        "User-agents: *",
        "User-agent:",
        "User-agent: * Disallow: /",
        "User-agent: \u200b*",
        "\u200bDisallow: /qa",
        "User-agent: x\u2028Disallow: /",
        "we do not want this",
        "禁止: /qa",
        'User-agent: "*"',
        'User-agent: "psyllm"',
        "User-agent: psyllm|gpt",
        "User-agent: [*]",
        "User-agent: .*",
        "User-agent: *.",
        "User-agent: all",
        "User-agent: Any",
        "Deny: /",
        "Block: /qa",
        "Forbidden: /",
    ],
)
def test_one_line_that_can_not_be_read_means_no(line):
    for body in (f"User-agent: *\nAllow: /\n{line}\n", f"{line}\n"):
        assert not allows(Answer(200, body.encode(), "text/plain"))
    verdict = verdict_of(Answer(200, f"User-agent: *\n{line}\n".encode(), "text/plain"), NOW)
    assert (verdict.word, verdict.reason) == ("denied", "unreadable_line")


@pytest.mark.parametrize("rule", ["Disallow: /", "Allow: /", "Crawl-delay: 3"])
def test_a_rule_for_nobody_means_no(rule):
    verdict = verdict_of(Answer(200, f"{rule}\nUser-agent: *\nAllow: /\n".encode(), "text/plain"), NOW)
    assert (verdict.word, verdict.reason) == ("denied", "unreadable_line")


def test_what_is_well_formed_and_no_rule_harms_nothing():
    body = (
        "Sitemap: https://www.site.example/map.xml # all\nHost: www.site.example\n\n"
        "User-agent: Sogou web spider\nUser-agent: 360Spider/1.0\nDisallow: /\n\n"
        "User-agent: *\nClean-param: sid /qa\nDisallow:\nDisallow: /*?sort=\nVisit-time: 0600-0845\n"
        "Content-Signal: search=yes\nCrawl-delay: 1.5\nRequest-rate: 1/5s 0800-2000\n"
    )
    verdict = verdict_of(Answer(200, body.encode(), "text/plain"), NOW)
    assert verdict.allows(f"{SITE}/qa/1")
    assert not verdict.allows(f"{SITE}/qa/1?sort=new")
    assert verdict.delay_s == 5


def test_rules_that_an_earlier_version_kept_are_judged_again():
    kept = verdict_of(Answer(200, OPEN, "text/plain"), NOW).snapshot
    again = Verdict(kept._replace(body=b"User-agent: *\nDisallow: qa\n"))
    assert (again.word, again.reason) == ("denied", "unreadable_line")
    assert not again.allows(f"{SITE}/qa/1")


@given(st.text(st.sampled_from("usr-agent disalow:*/#\n\r\ufeff：psy"), max_size=80))
def test_any_text_has_a_verdict(text):
    verdict = verdict_of(Answer(200, text.encode(), "text/plain"), NOW)
    assert verdict.allows(f"{SITE}/qa") in {True, False}


def test_as_much_as_the_standard_asks_for_is_read():
    filler = b"# x\n" * ((MOST_BYTES - 100) // 4)
    assert not allows(Answer(200, filler + b"User-agent: *\nDisallow: /qa\n", "text/plain"))
    assert allows(Answer(200, filler + OPEN, "text/plain"))


def test_the_larger_of_crawl_delay_and_request_rate_counts():
    def delay(body):
        return verdict_of(Answer(200, body, "text/plain"), NOW).delay_s

    assert delay(OPEN) == 0
    assert delay(b"User-agent: *\nCrawl-delay: 7\n") == 7
    assert delay(b"User-agent: *\nCrawl-delay: 2\nRequest-rate: 1/10s\n") == 10


def test_a_verdict_is_dated_hashed_and_read_again_from_its_snapshot():
    verdict = verdict_of(Answer(200, OPEN, "text/plain"), NOW)
    again = Verdict(verdict.snapshot)
    assert verdict.snapshot.fetched_at == "2026-11-25T12:00:00+00:00"
    assert len(verdict.snapshot.sha256) == 64
    assert again.allows(f"{SITE}/qa")
    assert not again.allows(f"{SITE}/private")
    assert again.is_fresh(NOW + timedelta(hours=23, minutes=59))
    assert not again.is_fresh(NOW + timedelta(hours=24))
    assert not again.is_fresh(NOW - timedelta(seconds=1)), "a clock that was put back makes it old"


class ShelfInMemory:
    def __init__(self):
        self.kept = {}

    async def robots_of(self, origin):
        return self.kept.get(origin)

    async def keep_robots(self, origin, snapshot):
        self.kept[origin] = snapshot


class Fetching:
    """Answers one robots.txt after the other, slowly; counts."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.urls = []

    async def __call__(self, url):
        self.urls.append(url)
        await asyncio.sleep(0.01)
        return self.answers.pop(0)


def test_all_who_wait_for_a_host_wait_for_one_fetch():
    fetching = Fetching(Answer(200, b"User-agent: *\nDisallow: /\n", "text/plain"))

    async def ask():
        gate = RobotsGate(ShelfInMemory(), fetching, lambda: NOW)
        return await asyncio.gather(*(gate.verdict(SITE) for _ in range(20)))

    verdicts = asyncio.run(ask())
    assert fetching.urls == [f"{SITE}/robots.txt"]
    assert [verdict.allows(f"{SITE}/qa") for verdict in verdicts] == [False] * 20


def test_a_waiter_that_gives_up_leaves_the_fetch_to_the_others():
    fetching = Fetching(Answer(200, OPEN, "text/plain"))

    async def ask():
        gate = RobotsGate(ShelfInMemory(), fetching, lambda: NOW)
        first, second = (asyncio.create_task(gate.verdict(SITE)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return (await second).allows(f"{SITE}/qa")

    assert asyncio.run(ask())
    assert len(fetching.urls) == 1


def test_another_workers_verdict_is_used_until_it_is_a_day_old():
    shelf, now = ShelfInMemory(), [NOW]
    fetching = Fetching(Answer(200, OPEN, "text/plain"), Answer(403))

    async def ask():
        await RobotsGate(shelf, fetching, lambda: now[0]).verdict(SITE)
        gate = RobotsGate(shelf, fetching, lambda: now[0])
        before = (await gate.verdict(SITE)).allows(f"{SITE}/qa")
        now[0] += timedelta(hours=24)
        return before, (await gate.verdict(SITE)).allows(f"{SITE}/qa")

    assert asyncio.run(ask()) == (True, False)
    assert len(fetching.urls) == 2


def test_a_site_that_can_not_answer_is_asked_again_and_then_means_no():
    fetching = Fetching(*[Answer(503)] * MOST_TRIES)

    async def ask():
        gate = RobotsGate(ShelfInMemory(), fetching, lambda: NOW)
        for _ in range(MOST_TRIES):
            assert not gate.is_out_of_tries(SITE)
            verdict = await gate.verdict(SITE)
            assert verdict.is_passing
            assert not verdict.allows(f"{SITE}/qa")
        assert gate.is_out_of_tries(SITE)
        return await gate.verdict(SITE)

    assert not asyncio.run(ask()).allows(f"{SITE}/qa")
    assert len(fetching.urls) == MOST_TRIES
