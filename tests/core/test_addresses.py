import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.addresses import meant_by
from psyllm.core.records import Record
from psyllm.core.tombstones import Tombstone, Tombstones, url_mark

PAGE = "https://example.org/q/1?page=2"


@pytest.mark.parametrize(
    "spelling",
    [
        "http://example.org/q/1?page=2",
        "https://example.org/q/1/?page=2",
        "https://example.org/q/1?page=2#top",
        "https://EXAMPLE.org/q/1?page=2",
        "example.org/q/1?page=2",
        "//example.org/q/1?page=2",
        "  https://example.org/q/1?page=2\n",
        "https://example.org:443/q/1?page=2",
        "https://example.org//q/1?page=2",
        "https://example.org/q/1?from=share&page=2&utm_source=weixin&share=1",
        "HTTPS://somebody@example.org/q/%31?page=2",
    ],
)
def test_every_spelling_of_an_address_is_forgotten_and_kept_out_alike(spelling):
    assert meant_by(spelling) == "example.org/q/1?page=2"
    record = Record(id="s:1", kind="document", group="s:1", source="s", licence="x", text="字", url=spelling)
    assert Tombstones.of([Tombstone(kind="url", mark=url_mark(PAGE))]).left_of(record) is None
    assert Tombstones.of([Tombstone(kind="url", mark=url_mark(spelling))]).has_url(PAGE)


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/q/1",
        "https://example.org/q/1?page=3",
        "https://example.org/Q/1?page=2",
        "https://m.example.org/q/1?page=2",
        "https://example.org:8080/q/1?page=2",
        "https://example.org/q/12?page=2",
    ],
)
def test_another_page_stays(other):
    assert not Tombstones.of([Tombstone(kind="url", mark=url_mark(PAGE))]).has_url(other)


def test_chinese_in_an_address_may_be_escaped_or_not():
    assert meant_by("https://例子.example/问答/1") == meant_by(
        "http://xn--fsqu00a.example/%E9%97%AE%E7%AD%94/1/"
    )


def test_a_tombstone_from_before_still_holds():
    old = hashlib.sha256(f"{PAGE}#top".encode()).hexdigest()
    assert Tombstones(urls=frozenset({old})).has_url(f"{PAGE}#top ")


@given(st.text())
def test_any_text_has_one_meaning(text):
    assert meant_by(meant_by(text)) == meant_by(meant_by(meant_by(text)))
    assert isinstance(url_mark(text), str)
