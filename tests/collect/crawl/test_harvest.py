import pytest

from crawl_site import question
from psyllm.collect.crawl.harvest import Harvest, Kept, Stored
from psyllm.collect.crawl.segments import Segments, StoredPage
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.yixinli import Yixinli
from psyllm.collect.source import Source
from psyllm.core.records import write_records
from psyllm.core.stages import Stage, stage_folder
from psyllm.core.tombstones import NO_TOMBSTONES

SITE = "http://127.0.0.1:8001"


@pytest.fixture
def source():
    return Source("test", "CC0-1.0", may_train=True)


def stored_page(path, body, robots="r1"):
    return StoredPage(f"{SITE}{path}", 200, "text/html", body, "2026-11-25T12:00:00Z", "test-1", robots)


def harvested(tmp_path, source, *pages):
    segments = Segments(tmp_path, "w1")
    stored = [
        Stored(page.url, "question", where) for page, where in zip(pages, segments.append(pages), strict=True)
    ]
    segments.close()
    harvest = Harvest(tmp_path, lambda _: Yixinli(base_url=SITE), Authors(b"k" * 32), source)
    return harvest, stored


def test_pages_of_a_thread_that_lie_apart_make_one_record(tmp_path, source):
    harvest, stored = harvested(
        tmp_path,
        source,
        stored_page("/qa/10?page=2", question(10, 2, {}), robots="later"),
        stored_page("/qa/3", question(3, 1, {})),
        stored_page("/qa/10", question(10, 1, {})),
    )
    records = {record.id: record for record in harvest.records(stored)}
    assert {record.url: len(record.answers) for record in records.values()} == {
        f"{SITE}/qa/3": 2,
        f"{SITE}/qa/10": 12,
    }
    assert {record.robots_hash for record in records.values()} == {"r1"}
    assert {record.permission_id for record in records.values()} == {"test-1"}
    assert (source.read, source.joined, source.left_out) == (3, 1, {})


def test_what_can_not_be_read_is_counted(tmp_path, source):
    harvest, stored = harvested(
        tmp_path,
        source,
        stored_page("/qa/1", question(1, 1, {})),
        stored_page("/qa/2", b"<html><body><div class='new-design'>-</div></body></html>"),
        stored_page("/qa?page=1", b"<html></html>"),
    )
    broken = Stored(f"{SITE}/qa/4", "question", "w1-gone-00001.warc.gz:0:10")
    assert len(list(harvest.records([*stored, broken]))) == 1
    assert source.left_out == {"page_changed": 1, "page_of_no_thread": 1, "page_unreadable": 1}
    assert source.read == 1 + source.left_out.total() + source.joined


def test_a_second_page_without_its_first_is_counted(tmp_path, source):
    second = stored_page(
        "/qa/10?page=2", question(10, 2, {}).replace(b"<h1>", b"<b>").replace(b"</h1>", b"</b>")
    )
    harvest, stored = harvested(tmp_path, source, second)
    assert list(harvest.records(stored)) == []
    assert source.left_out == {"thread_without_its_question": 1}


def test_an_answer_whose_thread_stands_on_its_page_only_finds_its_question(tmp_path, source):
    mobile = f"<div class='ask_div_text'>先睡一觉，再想这件事，也不迟。</div><a href='{SITE}/qa/3'>问题</a>".encode()
    harvest, stored = harvested(
        tmp_path, source, stored_page("/qa/answer-77", mobile), stored_page("/qa/3", question(3, 1, {}))
    )
    (record,) = harvest.records(stored)
    assert len(record.answers) == 3


def test_a_record_that_lacks_an_expired_page_keeps_the_answers_of_its_earlier_form(tmp_path, source):
    first, second = (
        stored_page(f"/qa/10{rest}", question(10, page, {})) for page, rest in ((1, ""), (2, "?page=2"))
    )
    _, stored = harvested(tmp_path, source, first)
    whole, both = harvested(tmp_path, Source("test", "CC0-1.0", may_train=True), first, second)
    (earlier,) = whole.records(both)
    folder = stage_folder(tmp_path, Stage.COLLECTED) / "test"
    folder.mkdir(parents=True)
    write_records([earlier], folder)
    gone = Stored(f"{SITE}/qa/10?page=2", "question", "w1-gone-00001.warc.gz:0:10")
    harvest = Harvest(
        tmp_path,
        lambda _: Yixinli(base_url=SITE),
        Authors(b"k" * 32),
        source,
        NO_TOMBSTONES,
        frozenset({gone.segment}),
    )
    kept = Kept(NO_TOMBSTONES, harvest.torn, pages_expired=True)
    (record,) = kept.with_earlier(harvest.records([*stored, gone]), tmp_path, "test")
    assert source.left_out == {"page_expired": 1}
    assert sorted(answer.text for answer in record.answers) == sorted(
        answer.text for answer in earlier.answers
    )
    assert kept.carried_over == 0
