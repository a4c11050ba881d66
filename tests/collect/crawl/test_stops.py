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


@pytest.mark.parametrize("status", [401, 403, 405, 407, 412, 451])
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


@pytest.mark.parametrize("paragraphs", [0, 1500])
@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_a_wall_is_told_in_every_charset_wherever_its_beginning_is_cut(charset, paragraphs):
    page = f"<html><title>安全验证</title><body>{'<p>请稍等片刻</p>' * paragraphs}</body></html>"
    said = {"content-type": f"text/html; charset={charset}"}
    stop = stop_of(200, said, page.encode(charset), NOW)
    assert stop is not None
    assert (stop.reason, stop.is_hard) == ("captcha", True)


@pytest.mark.parametrize(
    "address",
    [
        "/member.php?mod=logging&action=login",
        "/users/sign_in",
        "/account/log_in",
        "/wp-login.php?redirect_to=%2Fqa",
        "/user/login.php",
        "/user/signin_page",
        "/oauth/authorize?client_id=1",
        "https://passport.example/x",
    ],
)
def test_the_usual_addresses_of_logins_are_hard_stops(address):
    stop = stop_of(302, {"location": address}, b"", NOW)
    assert stop is not None
    assert (stop.reason, stop.is_hard) == ("login", True)


@pytest.mark.parametrize(
    "address",
    ["/qa/signing-in-the-rain", "/thread.php?mod=viewthread&tid=1", "/qa/1?from=login", "/blog/logins"],
)
def test_an_address_that_only_speaks_of_logins_is_none(address):
    assert stop_of(302, {"location": address}, b"", NOW) is None


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
