import gzip
import io
import tarfile
import time

import pytest

import made_threads as threads
import site_pages as made
from made_up import write_lines
from psyllm.collect import html_dump, reading
from psyllm.collect.formats import recognise
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput


@pytest.fixture(autouse=True)
def key_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path / "author.key"))


def mirror():
    """Files as a mirror of Tianya lays them down, with what lies between pages."""
    files = {
        f"bbs.tianya.cn/post-feeling-{number}-{page}.shtml": made.page(
            "tianya", number, page, "gbk", answers=12
        )
        for page in (1, 2, 3)
        for number in range(3)
    }
    return {**files, "bbs.tianya.cn/style.css": b"p { color: red }", "bbs.tianya.cn/a.png": b"\x89PNG\x00"}


def tar_of(files, mode):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def folder_of(place, files):
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def import_of(path):
    assert recognise(path).name == "HTML pages"
    source = Source("dump", "CC0-1.0")
    found = list(html_dump.records(path, source))
    assert source.read == len(found) + source.joined + source.left_out.total()
    return found, source


@pytest.mark.parametrize("mode", ["folder", "w", "w:gz", "w:xz"])
def test_a_mirror_gives_whole_threads_with_their_addresses(tmp_path, mode):
    path = tmp_path / "dump"
    if mode == "folder":
        folder_of(path, mirror())
    else:
        path.write_bytes(tar_of(mirror(), mode))
    found, source = import_of(path)
    assert [record.url for record in found] == [
        f"http://bbs.tianya.cn/post-feeling-{number}-1.shtml" for number in range(3)
    ]
    assert [len(record.answers) for record in found] == [12, 12, 12]
    assert source.left_out == {"file_is_no_page": 2}


def test_a_page_says_where_it_stood(tmp_path):
    body = made.page("yixinli", 5)
    for head in (
        b"<link rel='canonical' href='https://www.xinli001.com/qa/5'>",
        b'<meta property="og:url" content="//www.xinli001.com/qa/5?source=pc">',
        b"<!-- saved from url=(0030)https://www.xinli001.com/qa/5 -->",
    ):
        folder_of(tmp_path / "d", {"x.html": body.replace(b"<title>", head + b"<title>", 1)})
        (record,), _ = import_of(tmp_path / "d")
        assert (record.id, record.url) == ("dump:yixinli-question-5", "https://www.xinli001.com/qa/5")


def test_a_lone_file_of_a_known_name_is_placed_by_it(tmp_path):
    path = tmp_path / "post-feeling-5-1.shtml"
    path.write_bytes(made.page("tianya", 5, 1))
    (record,), _ = import_of(path)
    assert record.id == "dump:tianya-post-feeling-5"


def test_pages_of_nowhere_are_documents_without_an_address(tmp_path):
    text = "\n".join(f"第{place}段：晚上散步的时候，我常常想起小时候的院子和那棵树。" for place in range(12))
    folder_of(
        tmp_path / "d",
        {f"{place}.htm": made.other_article(threads.Thread(place, f"第{place}篇", text)) for place in (1, 2)},
    )
    found, _ = import_of(tmp_path / "d")
    assert [(record.kind, record.title, record.url) for record in found] == [
        ("document", "第1篇", ""),
        ("document", "第2篇", ""),
    ]


def test_the_id_of_a_page_of_nowhere_is_no_bare_hash_of_a_name(tmp_path, monkeypatch):
    text = "\n".join(f"第{place}段：晚上散步的时候，我常常想起小时候的院子和那棵树。" for place in range(12))
    folder_of(tmp_path / "d", {"王小明.htm": made.other_article(threads.Thread(1, "一篇", text))})
    ids = set()
    for key in ("one", "one", "other"):
        monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path / key))
        ids.add(import_of(tmp_path / "d")[0][0].id)
    assert len(ids) == 2


def stories(
    count, head, text="第{}个人的故事。晚上散步的时候，我常常想起小时候的院子和那棵树，心里慢慢安静下来。"
):
    pages = (
        made.other_article(threads.Thread(number, f"第{number}篇", text.format(number) * 9))
        for number in range(count)
    )
    return [page.replace(b"<title>", head + b"<title>", 1) for page in pages]


FRONT = b"<link rel='canonical' href='https://forum.example/'>"


@pytest.mark.parametrize(("folder", "url"), [("d", ""), ("forum.example", "http://forum.example/")])
def test_pages_that_all_name_the_front_page_are_told_apart_by_their_paths(tmp_path, folder, url):
    pages = {f"{folder}/{number}.html": page for number, page in enumerate(stories(5, FRONT))}
    found, source = import_of(folder_of(tmp_path / "dump", pages))
    assert {number for number in range(5) for one in found if f"第{number}个人的故事" in one.text} == set(
        range(5)
    )
    assert sorted(one.url for one in found) == [f"{url}{number}.html" if url else "" for number in range(5)]
    assert (len({one.id for one in found}), source.joined, source.left_out.total()) == (5, 0, 0)


def test_an_address_that_one_page_names_is_trusted(tmp_path):
    (page,) = stories(1, FRONT)
    (record,), _ = import_of(folder_of(tmp_path / "dump", {"a.html": page}))
    assert record.url == "https://forum.example/"


def test_pages_of_one_question_of_a_known_site_name_one_address_and_stay_together(tmp_path):
    head = b"<link rel='canonical' href='https://www.xinli001.com/qa/5'><title>"
    pages = {
        f"{page}.html": made.page("yixinli", 5, page, answers=12).replace(b"<title>", head, 1)
        for page in (1, 2)
    }
    (record,), source = import_of(folder_of(tmp_path / "dump", pages))
    assert (len(record.answers), source.joined) == (12, 1)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_breaks_off_is_malformed(tmp_path, mode):
    path = tmp_path / "a.tar"
    whole = tar_of(mirror(), mode)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MalformedInput, match="breaks off"):
        list(html_dump.records(path, Source("dump", "CC0-1.0")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_damaged_or_cut_between_pages_loses_none_in_silence(tmp_path, pack):
    whole = tar_of(mirror(), "w")
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        offset = tar.getmembers()[3].offset
    flipped = bytearray(whole)
    flipped[offset + 150] ^= 0xFF
    path = tmp_path / "a.tar"
    for raw, found in ((flipped, "is damaged"), (whole[:offset], "breaks off")):
        path.write_bytes(pack(raw))
        with pytest.raises(MalformedInput, match=f"{found} at byte {offset:,}:"):
            list(html_dump.records(path, Source("dump", "CC0-1.0")))


@pytest.mark.parametrize(
    ("raw", "is_page"),
    [
        (b"<!DOCTYPE html><p>", True),
        (b"\xef\xbb\xbf\n<!-- saved -->\n<HTML>", True),
        (b"<?xml version='1.0'?><html>", True),
        (b"# Heading\n<html>", False),
        (b"<htmlx>", False),
        (b"", False),
    ],
)
def test_pages_are_told_by_how_they_begin(raw, is_page):
    assert html_dump.is_html(raw) is is_page


@pytest.mark.parametrize(
    "raw", [b"<!-- a -->\n" * 5000, b"<!-- " * 10_000, b" " * 60_000, b"<!----> -->" * 30]
)
def test_what_only_looks_like_the_beginning_of_a_page_takes_no_time(raw):
    before = time.process_time()
    assert not html_dump.is_html(raw + b"x")
    assert html_dump.is_html(b"<!-- a --> " * 30 + b"<html>")
    assert time.process_time() - before < 1


def test_a_folder_may_hold_files_of_data_larger_than_any_text(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_MEMBER_BYTES", 1000)
    write_lines(
        [{"question": f"我睡不着{number}。", "answer": "多久了？"} for number in range(99)], tmp_path / "a"
    )
    assert (tmp_path / "a").stat().st_size > reading.MOST_MEMBER_BYTES
    source = Source("big", "CC0-1.0")
    assert len(list(recognise(tmp_path).read(tmp_path, source))) == 99


def test_pages_that_links_lead_to_are_read(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b"):
        page = f"<html><body><h1>{name}</h1><p>{'早点睡，慢慢来。' * 20}</p></body></html>"
        (tmp_path / name).write_text(page, "utf-8")
    (tmp_path / "a").rename(folder / "a.html")
    (folder / "b.html").symlink_to("../b")
    assert len(import_of(folder)[0]) == 2
