"""Forgotten texts leave the pages as fetched, and are not fetched or harvested again."""

import gzip
import io
import os
import subprocess

import pytest
from warcio.archiveiterator import ArchiveIterator

from crawl_ground import environment, served, wait_until
from psyllm.cli.main import run as cli
from psyllm.collect.crawl import members
from psyllm.collect.crawl.forgetting import Meant, forget_pages
from psyllm.collect.crawl.segments import Segments, StoredPage, read_page
from psyllm.collect.sites.authors import Authors
from psyllm.core.errors import MalformedInput
from psyllm.core.private import Private
from psyllm.core.records import read_records

SECRET = "那年冬天我在青石桥边把外婆的铜铃铛弄丢了"


def page(url, text):
    body = f"<html><body><p>{text}</p></body></html>".encode()
    return StoredPage(url, 200, "text/html; charset=utf-8", body, "2026-01-02T03:04:05Z", "p-1", "0" * 64)


@pytest.fixture
def written(tmp_path):
    """Three pages in one segment of a crawl; the second holds the words."""
    segments = Segments(tmp_path / "raw" / "site" / "segments", "w1")
    urls = [f"https://www.xinli001.com/qa/{number}" for number in (1, 2, 3)]
    texts = ["今天下雨了，院子里很安静。", SECRET, "明天也许会晴，去河边走走。"]
    texts[1] += "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(90_000))  # does not fit one filler
    places = segments.append([page(url, text) for url, text in zip(urls, texts, strict=True)])
    segments.close()
    for path in (tmp_path / "raw").rglob("*.gz"):
        os.utime(path, (0, 0))
    return tmp_path, urls, places


def unpacked(data):
    return b"".join(gzip.decompress(path.read_bytes()) for path in (data / "raw").rglob("*.gz"))


@pytest.mark.parametrize("how", ["url", "thread", "no scheme", "shared"])
def test_the_page_s_bytes_are_gone_and_the_others_stay_in_their_places(written, how):
    data, urls, places = written
    assert SECRET.encode() in unpacked(data)
    meant = {
        "url": [urls[1]],
        "thread": [f"{urls[1]}?page=3"],
        "no scheme": ["WWW.xinli001.com/qa/2/"],
        "shared": ["http://www.xinli001.com/qa/2/?from=share&page=3#top"],
    }[how]
    done = forget_pages(data, Meant(meant))
    assert (done.pages, done.urls, done.growing) == (1, {urls[1]}, ())
    assert SECRET.encode() not in unpacked(data)
    folder = data / "raw" / "site" / "segments"
    assert [read_page(folder, place).url for place in (places[0], places[2])] == [urls[0], urls[2]]
    with pytest.raises(MalformedInput):
        read_page(folder, places[1])
    assert forget_pages(data, Meant(meant)).pages == 0


def test_other_tools_still_read_the_file(written):
    data, urls, _ = written
    forget_pages(data, Meant([urls[1]]))
    (path,) = (data / "raw").rglob("*.gz")
    with path.open("rb") as file:
        assert [record.rec_headers.get_header("WARC-Target-URI") for record in ArchiveIterator(file)] == [
            urls[0], urls[2],
        ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["gb18030", "json"])
def test_a_passage_is_found_however_the_page_writes_it(tmp_path, encoding):
    escaped = "".join(f"\\u{ord(one):04x}" for one in SECRET)
    body = SECRET.encode("gb18030") if encoding == "gb18030" else f'{{"content": "{escaped}"}}'.encode()
    segments = Segments(tmp_path / "raw" / "site" / "segments", "w1")
    of_no_thread = "https://m.xinli001.com/qa?page=1"
    segments.append(
        [page(url, "")._replace(body=body) for url in (of_no_thread, "https://www.xinli001.com/qa/7")]
    )
    segments.close()
    done = forget_pages(tmp_path, Meant(passages=[Private(SECRET[:14])]))
    assert (done.pages, done.urls) == (1, frozenset()), "the page of another thread stays"


def test_a_torn_end_goes_unless_a_worker_may_still_be_writing_it(written):
    data, urls, _ = written
    (path,) = (data / "raw").rglob("*.gz")
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(gzip.compress(SECRET.encode())[:-9])
    assert forget_pages(data, Meant([urls[1]])).growing == (f"{path.parent.parent.name}/{path.name}",)
    assert path.stat().st_size > whole
    os.utime(path, (0, 0))
    assert forget_pages(data, Meant([urls[1]])).growing == ()
    assert path.stat().st_size == whole


def test_fillers_fit_every_length():
    for length in (22, 23, 65_557, 65_558, 65_579, 65_580, 131_114, 200_000):
        file = io.BytesIO(bytes(length))
        members.overwrite(file, 0, length)
        assert len(file.getvalue()) == length
        assert gzip.decompress(file.getvalue()) == b""


def test_a_forgotten_question_is_not_harvested_or_fetched_again(tmp_path):
    with served(tmp_path, [{"questions": 6}]) as ground:
        permission = ground.permission(delay_s=0.005)
        ground.crawl(permission)
        mine = next(record for record in read_records(ground.data / "1_collected" / "test") if record.answers)
        words = mine.url.encode()
        assert words in unpacked(ground.data)
        assert cli(["forget", "--data", str(ground.data), "--content", mine.content_hash]) == 0
        assert words not in unpacked(ground.data)
        before = len(ground.seen())
        ground.crawl(permission)
        again = list(read_records(ground.data / "1_collected" / "test"))
        assert mine.id not in {record.id for record in again}
        assert len(again) == 5
        assert len(ground.seen()) == before


def test_an_answer_goes_and_the_rest_of_its_question_outlives_the_overwritten_page(tmp_path):
    with served(tmp_path, [{"questions": 6}]) as ground:
        permission = ground.permission(delay_s=0.005)
        ground.crawl(permission)
        first = list(read_records(ground.data / "1_collected" / "test"))
        author = next(answer.author_hash for record in first for answer in record.answers)
        assert cli(["forget", "--data", str(ground.data), "--author", author]) == 0
        left = list(read_records(ground.data / "1_collected" / "test"))
        ground.crawl(permission)
        again = list(read_records(ground.data / "1_collected" / "test"))
        assert sorted(again, key=lambda one: one.id) == sorted(left, key=lambda one: one.id)
        assert author not in {answer.author_hash for record in again for answer in record.answers}


def test_who_is_forgotten_while_a_crawl_runs_is_neither_asked_for_nor_harvested(
    tmp_path, monkeypatch, capsys
):
    with served(tmp_path, [{"questions": 14}]) as ground:
        permission = ground.permission(delay_s=0.15)
        running = subprocess.Popen(
            ground.command(permission),
            env=environment(tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: any(row["path"] == "/qa/4" for row in ground.seen()))
        monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path / "author.key"))
        author = Authors.from_key_file(ground.data).hash("yixinli", "读者13_0")
        words = [
            *("--url", f"http://{ground.host(0)}/qa/12?page=7"),
            *("--url", f"http://{ground.host(0)}/qa/1"),
        ]
        assert cli(["forget", "--data", str(ground.data), *words, "--author", author]) == 0
        assert "the crawl of test is running" in capsys.readouterr().out
        assert running.wait(60) == 0
        assert not {"/qa/12"} & set(ground.paths(0))
        left = {
            record.url.rpartition("/")[2]: record
            for record in read_records(ground.data / "1_collected" / "test")
        }
        assert set(left) == {str(number) for number in range(1, 15)} - {"1", "12"}
        assert len(left["13"].answers) == 1 < len(left["14"].answers)
        raw = unpacked(ground.data)
        assert not [word for word in ("/qa/1\r", "/qa/12\r", "（13-0）") if word.encode() in raw]
        assert "（14-0）".encode() in raw
        ground.crawl(permission)
        again = list(read_records(ground.data / "1_collected" / "test"))
        assert {record.id: len(record.answers) for record in again} == {
            record.id: len(record.answers) for record in left.values()
        }
        assert cli(["forget", "--data", str(ground.data), *words]) == 0
        assert "is running" not in capsys.readouterr().out
