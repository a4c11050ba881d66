import tomllib
from datetime import UTC, datetime

import pytest

from psyllm.collect.crawl.stops import LONGEST_REST_S, REST_S, TABLE, marks, stop_of, stop_of_address

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROWS = tomllib.loads(TABLE.read_text("utf-8"))["mark"]


def reason_of(row, text):
    stop = stop_of_address(text) if row["place"] == "address" else stop_of(200, {}, text.encode(), NOW)
    return None if stop is None else stop.reason


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["pattern"][:30])
def test_each_mark_matches_its_text_and_spares_the_other(row):
    assert reason_of(row, row["matches"]) == row["reason"]
    assert reason_of(row, row["spares"]) is None
    assert row["source"]


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["place"] == "body"], ids=lambda row: row["pattern"][:30]
)
def test_an_anchor_stands_in_what_a_mark_matches(row):
    low = row["matches"].encode().lower()
    assert any(anchor.encode() in low for anchor in row["anchors"])
    assert all(anchor == anchor.lower() for anchor in row["anchors"])


@pytest.mark.parametrize("status", [401, 403, 407, 412, 451])
def test_a_refusal_is_a_hard_stop(status):
    stop = stop_of(status, {}, b"", NOW)
    assert stop is not None
    assert stop.is_hard


@pytest.mark.parametrize(
    ("said", "rest_s"),
    [
        ("", REST_S),
        ("120", 120),
        ("0", 1),
        ("Wed, 25 Nov 2026 12:05:00 GMT", 300),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 1),
        ("soon", REST_S),
        ("999999999", LONGEST_REST_S),
    ],
)
def test_too_many_requests_is_a_pause_as_long_as_asked(said, rest_s):
    for status in (429, 503):
        stop = stop_of(status, {"retry-after": said}, b"busy", NOW)
        assert stop is not None
        assert not stop.is_hard
        assert stop.rest_s == rest_s


def test_a_firewall_behind_an_overload_is_a_firewall():
    stop = stop_of(503, {}, b"<script>window._cf_chl_opt={}</script>", NOW)
    assert stop is not None
    assert stop.is_hard


def test_a_redirect_to_a_login_is_a_hard_stop_and_one_to_a_page_is_none():
    stop = stop_of(302, {"location": "/signin?next=%2Fqa"}, b"", NOW)
    assert stop is not None
    assert stop.reason == "login"
    assert stop_of(302, {"location": "/qa/2"}, b"", NOW) is None


def test_a_person_who_writes_about_a_captcha_is_heard():
    page = "<html><title>登录</title><p>我总是输错验证码，心里很烦，觉得自己什么都做不好。</p></html>"
    assert stop_of(200, {}, page.encode(), NOW) is None
    long = "<p>我一个人住，晚上睡不着。</p>" * 3000 + "g-recaptcha"
    assert stop_of(200, {}, long.encode(), NOW) is None


def test_the_table_is_read_as_written():
    assert len(marks()) == len(ROWS)
