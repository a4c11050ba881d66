import gzip
import random
import subprocess
import sys
import zlib

import hypothesis
import pytest
from hypothesis import strategies as st

import made_threads as threads
import site_pages as made
from psyllm.collect import warc
from psyllm.collect.formats import recognise
from psyllm.collect.run import run
from psyllm.collect.source import Source
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import MalformedInput
from psyllm.core.records import read_records

WHEN = "2013-04-01T10:00:00Z"


@pytest.fixture(autouse=True)
def key_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path / "author.key"))


def record_of(url, body, status="200 OK", headers=(), kind="response", when=WHEN):
    """Return one record as ISO 28500 lays it down."""
    if kind == "response":
        lines = "".join(
            f"{name}: {value}\r\n" for name, value in ({"Content-Type": "text/html"} | dict(headers)).items()
        )
        body = f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: {when}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body + b"\r\n\r\n"


def archive_of(captures, *, packed=True):
    """Return an archive of (url, body[, status, headers, kind, when])."""
    records = [
        record_of("", b"software: a test\r\n", kind="warcinfo"),
        *(record_of(*capture) for capture in captures),
    ]
    return b"".join(gzip.compress(record) if packed else record for record in records)


def captures_of(sites=("yixinli", "tianya", "zhihu"), numbers=range(3), answers=12):
    pages = {"yixinli": 2, "tianya": 3, "zhihu": 1}
    return [
        (made.url_of(site, number, page), made.page(site, number, page, answers=answers))
        for page in (1, 2, 3)
        for number in numbers
        for site in sites
        if page <= pages[site]
    ]


def import_of(path):
    source = Source("dump", "CC0-1.0")
    found = list(warc.records(path, source))
    assert source.read == len(found) + source.joined + source.left_out.total()
    return found, source


@pytest.mark.parametrize("packed", [True, False])
def test_the_pages_of_a_thread_meet_though_they_lie_apart(tmp_path, packed):
    captures = captures_of()
    random.Random(1).shuffle(captures)
    path = tmp_path / "a"
    path.write_bytes(archive_of(captures, packed=packed))
    assert recognise(path).name == "WARC archive"
    found, source = import_of(path)
    assert len(found) == 9
    for record in found:
        number = int(record.id.rpartition("-")[2])
        thread = threads.thread(number, 12)
        assert [answer.text for answer in record.answers] == [one.text for one in thread.answers]
        assert record.fetched_at == WHEN
        assert record.title == thread.title
    assert {record.url for record in found} == {made.url_of(site, number) for site in ("yixinli", "tianya", "zhihu") for number in range(3)}  # fmt: skip
    assert (source.joined, source.left_out) == (9, {})


def test_a_folder_of_archives_is_one_source(tmp_path):
    captures = captures_of(("yixinli",))
    folder = tmp_path / "segments"
    folder.mkdir()
    (folder / "1.warc.gz").write_bytes(archive_of(captures[::2]))
    (tmp_path / "blob").write_bytes(archive_of(captures[1::2], packed=False))
    (folder / "2.warc.gz").symlink_to("../blob")
    assert recognise(folder).name == "WARC archive"
    found, _ = import_of(folder)
    assert [len(record.answers) for record in found] == [12, 12, 12]


def test_chunks_and_packings_of_http_are_undone(tmp_path):
    body = made.page("yixinli", 1)
    chunked = (
        b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:500], body[500:])) + b"0\r\n\r\n"
    )
    bare = zlib.compressobj(wbits=-15)
    forms = [
        (chunked, [("Transfer-Encoding", "chunked")]),
        (gzip.compress(body), [("Content-Encoding", "gzip")]),
        (zlib.compress(body), [("Content-Encoding", "deflate")]),
        (bare.compress(body) + bare.flush(), [("Content-Encoding", "deflate")]),
        (body, [("Content-Encoding", "gzip")]),  # undone by the archive, the header kept
        (body, [("Content-Encoding", "br")]),
    ]
    for raw, headers in forms:
        path = tmp_path / "a"
        path.write_bytes(archive_of([(made.url_of("yixinli", 1), raw, "200 OK", headers)]))
        (record,), _ = import_of(path)
        assert len(record.answers) == 3


def test_what_is_no_page_of_a_thread_is_counted_by_reason(tmp_path):
    url = made.url_of("yixinli", 1)
    bomb = gzip.compress(b"<html>" + b" " * (warc.MOST_PAGE_BYTES + 1))
    path = tmp_path / "a"
    path.write_bytes(
        archive_of(
            [
                (url, made.page("yixinli", 1)),
                ("https://www.xinli001.com/qa?page=1", made.yixinli_list([1, 2])),
                ("https://www.xinli001.com/qa/2", b"\x89PNG", "200 OK", [("Content-Type", "image/png")]),
                ("https://www.xinli001.com/qa/3", b"", "302 Found", [("Location", "/login")]),
                ("https://www.xinli001.com/qa/4", made.page("yixinli", 4, variant="waf")),
                ("https://www.xinli001.com/qa/5", made.page("yixinli", 5, variant="redesigned")),
                ("https://www.xinli001.com/qa/6", made.page("yixinli", 6, variant="no_title")),
                ("https://www.xinli001.com/qa/7", bomb, "200 OK", [("Content-Encoding", "gzip")]),
                ("https://www.xinli001.com/qa/8", b"\xff\x00\x11", "200 OK", [("Content-Encoding", "br")]),
                (url, b"", "200 OK", [], "revisit"),
            ]
        )
    )
    found, source = import_of(path)
    assert len(found) == 1
    assert source.left_out == {
        "page_of_no_thread": 1,
        "page_changed": 1,
        "http_status_302": 1,
        "page_waf": 1,
        "thread_without_its_question": 1,
        "page_is_no_html_or_json": 1,
        "page_too_large_or_packed_unknown": 2,
        "warc_revisit": 1,
    }
    assert source.parts_left_out == {"page_changed": 1}


def test_what_was_gone_at_another_fetching_is_left_out(tmp_path):
    url, page = made.url_of("yixinli", 1), made.page("yixinli", 1)
    answer = "https://www.zhihu.com/question/2/answer/2001"
    path = tmp_path / "a"
    path.write_bytes(
        archive_of([
            (url, b"", "404 Not Found"),
            (url, page),
            (made.url_of("zhihu", 2), made.page("zhihu", 2)),
            (answer, b"", "410 Gone"),
            (made.url_of("tianya", 3, 1), made.page("tianya", 3, 1, answers=12)),
            (made.url_of("tianya", 3, 2), b"", "404 Not Found"),
        ])
    )  # fmt: skip
    found, source = import_of(path)
    assert [(record.id, len(record.answers)) for record in found] == [
        ("dump:zhihu-question-2", 2),
        ("dump:tianya-post-feeling-3", 5),
    ]
    assert source.left_out == {"page_deleted": 3, "thread_was_taken_down": 1}


def test_the_newest_copy_of_a_page_is_taken(tmp_path):
    url = made.url_of("yixinli", 1)
    old, new = (made.yixinli_question(threads.Thread(1, "题目", words)) for words in ("旧的", "新的"))
    path = tmp_path / "a"
    path.write_bytes(
        archive_of([
            (url, new, "200 OK", [], "response", "2015-01-01T00:00:00Z"),
            (url, old, "200 OK", [], "response", "2013-01-01T00:00:00Z"),
        ])
    )  # fmt: skip
    (record,), source = import_of(path)
    assert (record.text, record.fetched_at, source.joined) == ("新的", "2015-01-01T00:00:00Z", 1)


def test_other_words_at_one_address_of_an_unknown_site_are_counted_and_no_copy(tmp_path):
    url = made.url_of("other", 1)
    pages = [
        (
            made.other_article(threads.Thread(1, "题目", f"{words}，晚上常常想起小时候的院子和那棵树。" * 9)),
            day,
        )
        for words, day in (("旧的", "2013"), ("新的", "2015"), ("新的", "2014"))
    ]
    path = tmp_path / "a"
    path.write_bytes(
        archive_of([(url, page, "200 OK", [], "response", f"{day}-01-01T00:00:00Z") for page, day in pages])
    )
    (record,), source = import_of(path)
    assert ("新的" in record.text, "旧的" in record.text, source.joined) == (True, False, 1)
    assert source.left_out == {"same_address_other_text": 1}


def test_mobile_answers_join_the_question_that_they_link_to(tmp_path):
    thread = threads.thread(5)
    extra = threads.MadeAnswer(5999, "只在手机页上的回答")
    captures = [
        ("https://m.xinli001.com/qa/answer-5999", made.yixinli_mobile(thread, extra)),
        (made.url_of("yixinli", 5), made.page("yixinli", 5)),
    ]
    path = tmp_path / "a"
    path.write_bytes(archive_of(captures))
    (record,), _ = import_of(path)
    assert {answer.text for answer in record.answers} == {one.text for one in (*thread.answers, extra)}


ORDINARY = archive_of(captures_of(("yixinli",), range(2)))
PLAIN = archive_of(captures_of(("yixinli",), range(2)), packed=False)


@hypothesis.given(st.data(), st.booleans())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=60)
def test_an_archive_cut_anywhere_is_refused_with_the_place(tmp_path, data, packed):
    whole = ORDINARY if packed else PLAIN
    path = tmp_path / "cut"
    path.write_bytes(whole[: data.draw(st.integers(300, len(whole) - 1))])
    with pytest.raises(MalformedInput, match=r"at byte [0-9,]+$") as caught:
        list(warc.records(path, Source("dump", "CC0-1.0")))
    assert "fetch the archive again" in caught.value.next_step


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_damaged_archive_is_refused(tmp_path, place):
    middle = int(len(ORDINARY) * place)
    path = tmp_path / "a"
    path.write_bytes(ORDINARY[:middle] + b"\xff" * 40 + ORDINARY[middle + 40 :])
    with pytest.raises(MalformedInput, match="at byte"):
        list(warc.records(path, Source("dump", "CC0-1.0")))


def test_an_archive_packed_as_one_stream_is_refused_with_the_way_to_mend_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(PLAIN))
    with pytest.raises(MalformedInput, match="one gzip stream") as caught:
        list(warc.records(path, Source("dump", "CC0-1.0")))
    assert "warcio recompress" in caught.value.next_step


def test_an_import_keeps_no_name_and_counts_every_page(tmp_path):
    path = tmp_path / "a.warc.gz"
    path.write_bytes(archive_of([*captures_of(), ("https://www.xinli001.com/qa", made.yixinli_list([1]))]))
    data = tmp_path / "data"
    manifest = run(CollectSettings(path=path, name="dump", licence="CC0-1.0"), data)
    assert manifest.counts["records"] == 9
    assert manifest.drops == {"page_of_no_thread": 1}
    folder = data / "1_collected" / "dump"
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    said = repr(list(read_records(folder))).encode()
    assert [name for name in threads.PLANTED if name.encode() in written + said] == []
    assert {len(record.author_hash) for record in read_records(folder)} == {32}


MEASURED = """
import resource, sys
from pathlib import Path
from psyllm.collect import warc
from psyllm.collect.source import Source
count = sum(1 for _ in warc.records(Path(sys.argv[1]), Source("dump", "CC0-1.0")))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_archive(tmp_path):
    peaks = []
    for factor in (1, 10):
        path = tmp_path / f"{factor}.warc.gz"
        path.write_bytes(archive_of(captures_of(("yixinli",), range(60 * factor), answers=20)))
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True
        )
        count, peak = map(int, done.stdout.split())
        assert count == 60 * factor
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.1
