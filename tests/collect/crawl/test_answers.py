from datetime import UTC, datetime

import pytest

from psyllm.collect.crawl.answers import End, Fault, Fetched, Keep, Leave, Rest, decide
from psyllm.collect.frontier.contract import Ask, Lease, Outcome

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
URL = "https://site.example/qa/1"


def decided(got, attempt=1):
    lease = Lease(URL, "question", 3, 1, attempt, 0)
    return decide(got, lease, NOW, lambda url: url.startswith("https://site.example/qa"), most_attempts=3)


def answer(status=200, body=b"<p>x</p>", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fetched(URL, status, {"content-type": "text/html", **named}, body)


def test_an_ordinary_page_is_kept():
    assert decided(answer()) == Keep("text/html")
    assert decided(answer(content_type="application/json; charset=utf-8")) == Keep(
        "application/json; charset=utf-8"
    )
    assert decided(answer(content_type="")) == Keep("")


@pytest.mark.parametrize(
    ("got", "detail"),
    [
        (answer(404), "gone"),
        (answer(410), "gone"),
        (answer(400), "http_400"),
        (answer(204), "http_204"),
        (answer(304, location="/qa/2"), "http_304"),
        (answer(302), "http_302"),
        (answer(content_type="image/png"), "content_type"),
        (answer(body=b" \n"), "empty"),
    ],
)
def test_a_page_with_nothing_in_it_ends(got, detail):
    assert decided(got) == End(Outcome.NOTHING, detail)


def test_a_redirect_is_asked_for_and_not_followed():
    found = (Ask("https://site.example/qa/2", "question", 4),)
    assert decided(answer(301, location="/qa/2#x")) == End(Outcome.NOTHING, "redirect", found)
    for target in ("https://elsewhere.example/qa/1", "/private", "//evil.example/qa"):
        assert decided(answer(302, location=target)) == End(Outcome.REFUSED, "redirect_out_of_scope")


def test_a_wall_leaves_the_host():
    assert decided(answer(403)) == Leave("refused")
    assert decided(answer(302, location="/login?next=1")) == Leave("login")
    assert decided(answer(302, location="https://static.site.example/503-error.html")) == Leave("overload")


def test_a_busy_site_rests_as_a_whole_and_is_given_up_in_the_end():
    assert decided(answer(429, retry_after="7")) == Rest(7, "too_many", whole_host=True)
    assert decided(answer(429, retry_after="7"), attempt=3) == End(Outcome.FAILED, "too_many")


def test_a_fault_is_tried_again_later_and_later():
    first, second = decided(Fault("timeout")), decided(Fault("timeout"), attempt=2)
    assert isinstance(first, Rest)
    assert isinstance(second, Rest)
    assert not first.whole_host
    assert second.seconds > first.seconds
    assert decided(Fault("timeout"), attempt=3) == End(Outcome.FAILED, "timeout")
    assert decided(answer(500), attempt=3) == End(Outcome.FAILED, "http_500")
