"""Which fetched pages go when something is forgotten, and what an interrupted or damaged store does to it."""

import gzip
import html
import json
import os
import time

import pytest

from forgotten_story import HERS, SECRET, collected, holds, question
from psyllm.cli.main import run as cli
from psyllm.collect.crawl.forgetting import Meant, forget_pages
from psyllm.collect.crawl.noted import SITES_FILE, note_sites, noted_adapters
from psyllm.collect.crawl.segments import Segments, StoredPage, read_page
from psyllm.collect.run import run as run_import
from psyllm.collect.sites.authors import KEY_FILE_VARIABLE, Authors
from psyllm.collect.sites.choose import thread_key
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import MalformedInput
from psyllm.core.forgetting import forget, marks_of
from psyllm.core.private import Private
from psyllm.core.records import read_records, write_records
from psyllm.core.stages import Stage, StageRun, writing
from psyllm.core.tombstones import read_tombstones

ELSEWHERE = "https://talk.example"


def page(url, body):
    raw = body if isinstance(body, bytes) else f"<html><body><p>{body}</p></body></html>".encode()
    return StoredPage(url, 200, "text/html; charset=utf-8", raw, "2026-01-02T03:04:05Z", "p-1", "0" * 64)


def stored(data, *pages, source="site"):
    """Write pages into a segment of long ago; return its folder and their places."""
    folder = data / "raw" / source / "segments"
    segments = Segments(folder, "w1")
    places = segments.append(list(pages))
    segments.close()
    for path in folder.glob("*.gz"):
        os.utime(path, (86_400, 86_400))
    return folder, places


def readable(folder, places):
    found = []
    for place in places:
        try:
            found.append(read_page(folder, place).url)
        except MalformedInput:
            continue
    return found


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "author.key"))
    return tmp_path / "data"


def forgotten(data, *words):
    return cli(["forget", "--data", str(data), *words])


def test_pages_go_before_records_so_that_an_interrupted_command_finds_them_again(data, monkeypatch, capsys):
    mine = question(1, text=SECRET, author_hash=HERS)
    collected(data, [mine, question(2)])
    stored(data, page(mine.url, SECRET), page(f"{ELSEWHERE}/list", SECRET))
    (path,) = (data / "raw").rglob("*.gz")
    real = type(path).open

    def refused(self, mode="r", *rest, **more):
        if self == path and "+" in mode:
            raise PermissionError(1, "not permitted", str(path))
        return real(self, mode, *rest, **more)

    monkeypatch.setattr(type(path), "open", refused)
    with pytest.raises(PermissionError):
        forget_pages(data, Meant([mine.url]))
    assert forgotten(data, "--content", mine.content_hash) == 2
    assert [record.id for record in read_records(data / "1_collected" / "site")] == ["site:1", "site:2"]
    monkeypatch.undo()
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(data.parent / "author.key"))
    assert forgotten(data, "--content", mine.content_hash) == 0
    assert not holds(data, SECRET)
    assert "raw: 2 fetched pages overwritten" in capsys.readouterr().out


def test_models_are_named_though_the_corpus_was_changed_before_the_command_was_interrupted(data, monkeypatch):
    mine = question(1, text=SECRET, author_hash=HERS)
    for stage, name in ((Stage.COLLECTED, "site"), (Stage.CORPUS, "corpus-1")):
        with writing(StageRun(data, stage, name, "mark", (), {})) as run:
            collected_into(run.folder, [mine, question(2)], stage)
            manifest = run.finish(counts={"records": 2})
    made(data, "model-a", [manifest.as_parent()])
    made(data, "model-b", [manifest.as_parent().model_copy(update={"stage": "base", "run": "model-a"})])
    made(data, "model-c", [], base="data/4_models/model-b/last")
    made(data, "model-d", [manifest.as_parent().model_copy(update={"run": "corpus-2"})])

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("psyllm.core.forgetting.mend_manifests", dies)
    with pytest.raises(KeyboardInterrupt):
        forget(data, marks_of((), [HERS], ()))
    monkeypatch.undo()
    assert forget(data, marks_of((), [HERS], ())).models == ("model-a", "model-b", "model-c")
    assert forget(data, marks_of((), [HERS], ())).models == ()


def collected_into(folder, records, stage):
    write_records(records, folder, prefix="part" if stage is Stage.COLLECTED else "train")


def made(data, name, parents, base=None):
    with writing(StageRun(data, Stage.MODELS, name, name, tuple(parents), {"base": base})) as run:
        run.finish(counts={})


def test_an_author_is_found_on_pages_of_which_no_record_was_made_yet(data, capsys):
    def thread(number, author, text):
        return (
            f"<div id='left'><div class='title'><h1>第{number}个问题</h1><strong>1个回答</strong></div>"
            f"<ul class='content-ans'><li><div class='username'>{author}</div><div class='text'><p>{text}</p></div></li></ul></div>"
        ).encode()

    urls = [f"https://www.xinli001.com/qa/{number}" for number in (1, 2)]
    folder, places = stored(
        data, page(urls[0], thread(1, "河边的树", SECRET)), page(urls[1], thread(2, "别人", "保重"))
    )
    name = data.parent / "id.txt"
    name.write_text("河边的树", "utf-8")
    words = ("--site", "yixinli", "--author-id-file", str(name))
    assert forgotten(data, *words) == 2, "no key, no hash"
    hers = Authors.from_key_file(data).hash("yixinli", "河边的树")
    assert forgotten(data, *words) == 0
    assert readable(folder, places) == [urls[1]]
    (data.parent / "author.key").unlink()
    capsys.readouterr()
    assert forgotten(data, "--author", hers) == 0
    assert "there is no authors' key" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        "".join(f"&#{ord(one)};" for one in SECRET),
        "".join(f"&#x{ord(one):X};" for one in SECRET),
        SECRET[:8] + "<b class='a'>" + SECRET[8:12] + "</b>" + SECRET[12:],
        SECRET[:8] + "\n  <br>" + SECRET[8:],
        json.dumps({"content": f"<p>{SECRET}</p>"}).upper().replace("\\U", "\\u"),
        html.escape(json.dumps({"content": SECRET})),
    ],
)
def test_the_words_are_found_on_pages_of_a_site_that_no_adapter_knows(data, body):
    mine = question(1, text=SECRET, url=f"{ELSEWHERE}/t/1", author_hash=HERS)
    collected(data, [mine, question(2)])
    pages = [
        page(mine.url, SECRET),
        page(f"{ELSEWHERE}/list", body),
        page(f"{ELSEWHERE}/t/2", question(2).text),
    ]
    folder, places = stored(data, *pages)
    assert forgotten(data, "--author", HERS) == 0
    assert readable(folder, places) == [f"{ELSEWHERE}/t/2"]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (
            "他说：“再见”，就走了，我一个人站到天亮才回家",
            "他说：&ldquo;再见&rdquo;，就走了，我一个人站到天亮才回家",
        ),
        ("我好了😀不用担心我，明天照常去上班就是了呀", "\\ud83d\\ude00"),
    ],
)
def test_entities_and_characters_of_two_escapes_are_read(data, said, written):
    body = written if "&" in written else f'"我好了{written}不用担心我，明天照常去上班就是了呀"'
    folder, places = stored(data, page(f"{ELSEWHERE}/list", body))
    assert forget_pages(data, Meant(passages=[Private(said)])).pages == 1
    assert readable(folder, places) == []


def test_a_common_sentence_takes_no_page_of_a_site_that_nobody_knows(data):
    common = "我不知道该怎么办"
    urls = [f"{ELSEWHERE}/blog/grief", "https://www.xinli001.com/qa?page=1"]
    folder, places = stored(data, *(page(url, f"很多人会说{common}，这很平常。") for url in urls))
    forget_pages(data, Meant(passages=[Private(common)]))
    assert readable(folder, places) == [urls[0]]


def test_a_long_passage_goes_from_another_thread_s_page_a_short_one_does_not(data):
    urls = ["https://www.xinli001.com/qa/7", "https://www.xinli001.com/qa/8"]
    folder, places = stored(data, page(urls[0], SECRET), page(urls[1], SECRET[:14]))
    forget_pages(data, Meant(passages=[Private(SECRET), Private(SECRET[:14])]))
    assert readable(folder, places) == [urls[1]]


def test_every_page_of_a_thread_goes_on_a_copy_of_a_site_too(data):
    note_sites_of = data / "raw" / "site"
    note_sites_of.mkdir(parents=True)
    note_sites(note_sites_of, {"copy.example:8001": "yixinli"})
    note_sites(note_sites_of, {})
    start = "http://copy.example:8001/qa"
    folder, places = stored(
        data, page(f"{start}/2", SECRET), page(f"{start}/2?page=2", "保重"), page(f"{start}/3", "别的")
    )
    assert forgotten(data, "--url", f"{start}/2") == 0
    assert readable(folder, places) == [f"{start}/3"]
    (note_sites_of / SITES_FILE).write_text("{", "utf-8")
    assert thread_key(f"{start}/2", noted_adapters(data)) == ""


@pytest.mark.parametrize(
    ("of_the_record", "given"),
    [
        ("https://www.zhihu.com/question/11", "https://www.zhihu.com/question/11/answer/22"),
        ("https://www.zhihu.com/question/11", "zhihu.com/question/11/"),
        ("https://www.xinli001.com/qa/2", "https://m.xinli001.com/qa/2"),
        ("https://www.xinli001.com/qa/2", "xinli001.com/qa/2?page=2"),
    ],
)
def test_a_thread_goes_by_any_of_its_addresses(data, of_the_record, given):
    collected(data, [question(1, text=SECRET, url=of_the_record), question(2)])
    stored(data, page(of_the_record, SECRET))
    assert forgotten(data, "--url", given) == 0
    assert not holds(data, SECRET)
    site = "zhihu" if "zhihu" in given else "yixinli"
    number = 11 if "zhihu" in given else 2
    later = question(5, url="").model_copy(update={"id": f"later:{site}-question-{number}"})
    assert read_tombstones(data).left_of(later) is None
    packed = later.model_copy(update={"id": f"later:2019/{site}-question-{number}#2"})
    assert read_tombstones(data).left_of(packed) is None
    other = later.model_copy(update={"id": f"later:{site}-question-99"})
    assert read_tombstones(data).left_of(other) is other


@pytest.mark.parametrize("flipped", [1, 40, -6])
def test_one_flipped_bit_hides_no_page_behind_it(data, flipped):
    urls = [f"{ELSEWHERE}/t/{number}" for number in range(6)]
    texts = [SECRET if number == 4 else question(number).text for number in range(6)]
    folder, places = stored(data, *map(page, urls, texts))
    (path,) = folder.glob("*.gz")
    start, length = (int(part) for part in places[1].split(":")[1:])
    raw = bytearray(path.read_bytes())
    raw[start + flipped if flipped > 0 else start + length + flipped] ^= 0x10
    path.write_bytes(raw)
    os.utime(path, (86_400, 86_400))
    done = forget_pages(data, Meant([urls[4]]))
    assert (done.pages, done.damaged, done.growing) == (1, 1, ())
    assert readable(folder, places) == [urls[0], urls[2], urls[3], urls[5]]
    assert SECRET.encode() not in gzip.decompress(path.read_bytes())
    assert forget_pages(data, Meant([urls[4]])) == (0, frozenset(), (), 0)


def test_the_time_by_which_pages_expire_stays(data):
    folder, _ = stored(data, page(f"{ELSEWHERE}/t/1", SECRET), page(f"{ELSEWHERE}/t/2", "别的"))
    (path,) = folder.glob("*.gz")
    assert forget_pages(data, Meant([f"{ELSEWHERE}/t/1"])).pages == 1
    assert path.stat().st_mtime == 86_400 < time.time()


def test_a_running_service_is_told_of(data, capsys):
    collected(data, [question(1, author_hash=HERS), question(2)])
    assert forgotten(data, "--author", HERS) == 0
    assert "a running psyllm serve still shows what it read" in capsys.readouterr().out


def test_a_later_import_under_another_address_of_the_thread_is_left_out(data, tmp_path):
    collected(data, [question(1)])
    assert forgotten(data, "--url", "https://www.zhihu.com/question/11/answer/22") == 0
    path = tmp_path / "later.csv"
    rows = [(11, SECRET), (12, question(2).text)]
    lines = [f"{text},保重，慢慢来,https://www.zhihu.com/question/{number}" for number, text in rows]
    path.write_text("\n".join(["question,answer,url", *lines]), "utf-8")
    manifest = run_import(CollectSettings(path=path, name="later", licence="x"), data)
    assert (manifest.counts["records"], manifest.drops) == (1, {"forgotten": 1})


def test_what_another_tool_put_into_a_segment_goes_for_its_words_only(data):
    folder, places = stored(data, page(f"{ELSEWHERE}/t/1", "别的"))
    (path,) = folder.glob("*.gz")
    notes = [f"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said + b"\r\n\r\n"
             for said in ("我们的记录".encode(), SECRET.encode())]  # fmt: skip
    path.write_bytes(path.read_bytes() + b"".join(map(gzip.compress, notes)))
    os.utime(path, (86_400, 86_400))
    assert forget_pages(data, Meant(passages=[Private(SECRET)])).pages == 1
    left = gzip.decompress(path.read_bytes())
    assert "我们的记录".encode() in left
    assert SECRET.encode() not in left
    assert readable(folder, places) == [f"{ELSEWHERE}/t/1"]


@pytest.mark.parametrize("by", ["url", "author"])
def test_words_of_which_no_record_was_made_yet_go_from_other_pages_too(data, by):
    url = "https://www.xinli001.com/qa/2"
    thread = (
        f"<div id='left'><div class='title'><h1>{SECRET}</h1><strong>0个回答</strong></div>"
        "<div class='ask-info'><span class='username'>河边的树</span></div></div>"
    ).encode()
    lists = ["https://www.xinli001.com/qa?page=1", "https://www.xinli001.com/qa?page=2"]
    folder, places = stored(data, page(lists[0], SECRET), page(url, thread), page(lists[1], "别的"))
    hers = Authors.from_key_file(data).hash("yixinli", "河边的树")
    assert forgotten(data, *(["--url", url] if by == "url" else ["--author", hers])) == 0
    assert readable(folder, places) == [lists[1]]
