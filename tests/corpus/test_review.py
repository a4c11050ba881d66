"""The review sheet and its way back, with a real spreadsheet in between."""

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from psyllm.core.errors import MalformedInput, MissingFile, UnknownFormat
from psyllm.core.records import Span
from psyllm.core.reviews import read_reviews, reviewed
from psyllm.core.starter import level_by_hand, starter_records
from psyllm.corpus.review_sheet import (
    ABOUT,
    COLUMNS,
    DATE_CELL,
    LICENCE_CELL,
    NAME_CELL,
    ROWS,
    dialogue_text,
    words_of,
    write_sheet,
)
from psyllm.corpus.review_take import _moved_spans
from psyllm.corpus.review_take import take_sheet as take

RECORDS = list(starter_records())
SOME = [RECORDS[0], *[one for one in RECORDS if one.kind == "dialogue"][:1], RECORDS[-1]]
LONGER = "先写下来，写在纸上，写完放到门外，再躺下。夜里醒了，不看钟，起来坐一会儿，困了再回去。"
MINUTES = itertools.count()
COLUMN = {column.heading: place for place, column in enumerate(COLUMNS, 1)}


def later():
    """A clock that is a minute on at each look."""
    return dt.datetime(2026, 12, 24, 8, tzinfo=dt.UTC) + dt.timedelta(minutes=next(MINUTES))


def take_sheet(path, records, into):
    """Take a sheet in as the command does: what stands now, rejected ones among it."""
    earlier = read_reviews([into])
    return take(path, reviewed(records, earlier, rejected_too=True), earlier, into, later)


@pytest.fixture
def sheet(tmp_path):
    """A sheet of one question, one dialogue and one article, signed but without decisions."""
    path = tmp_path / "review.xlsx"
    write_sheet(SOME, path)
    fill(path, {}, {NAME_CELL: "王医生", LICENCE_CELL: "测试-1", DATE_CELL: "2026-11-30"})
    return path


def fill(path, rows, about=None):
    """Write into a sheet as a person does: rows by record, each {heading: text}."""
    book = load_workbook(path)
    for cell, value in (about or {}).items():
        book[ABOUT][cell] = value
    page = book[ROWS]
    for row in page.iter_rows(min_row=2):
        for heading, text in rows.get(row[0].value, {}).items():
            row[COLUMN[heading] - 1].value = text
    book.save(path)


def rows_of(path):
    return list(load_workbook(path)[ROWS].iter_rows(min_row=2, values_only=True))


def test_a_sheet_holds_every_record_whole_the_riskiest_first(tmp_path):
    path = tmp_path / "review.xlsx"
    told = write_sheet(RECORDS, path)
    rows = rows_of(path)
    assert told.records == len(rows) == len(RECORDS)
    assert {row[0]: row[COLUMN["要审的文字"] - 1] for row in rows} == {
        record.id: words_of(record) for record in RECORDS
    }
    orders = [row[COLUMN["先后"] - 1] for row in rows]
    assert orders == sorted(orders)
    dangerous = {one.id for one in RECORDS if level_by_hand(one) in {"risk", "urgent", "in_progress"}}
    assert {row[0] for row in rows if row[COLUMN["先后"] - 1].startswith("1")} == dangerous


def test_a_text_that_looks_like_a_formula_stays_a_text(tmp_path):
    record = SOME[-1].model_copy(update={"text": "=1+1"})
    write_sheet([record], tmp_path / "review.xlsx")
    cell = load_workbook(tmp_path / "review.xlsx")[ROWS].cell(2, COLUMN["要审的文字"])
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_decisions_come_back_and_apply(sheet, tmp_path):
    question, dialogue, article = SOME
    talk = (
        dialogue_text(dialogue.turns).replace("咨询师：", "咨询师:", 1) + "\n\n来访者：好。\n\n咨询师：我在。"
    )
    fill(
        sheet,
        {
            question.id: {"决定": "通过", "意见": "很好"},
            dialogue.id: {"决定": "修改", "修改后的全文": talk},
            article.id: {"决定": "不用", "意见": "太长"},
        },
    )
    into = tmp_path / "reviews.jsonl"
    taken = take_sheet(sheet, SOME, into)
    assert taken.decisions == {"accept": 1, "change": 1, "reject": 1}
    kept = {record.id: record for record in reviewed(SOME, read_reviews([into]))}
    assert set(kept) == {question.id, dialogue.id}
    assert kept[question.id].answers[0].reviewed_by == "王医生"
    assert [turn.text for turn in kept[dialogue.id].turns[-2:]] == ["好。", "我在。"]
    assert kept[dialogue.id].turns[: len(dialogue.turns)] == dialogue.turns


def test_a_sheet_can_be_taken_in_twice_and_bit_by_bit(sheet, tmp_path):
    question, dialogue, _ = SOME
    into = tmp_path / "reviews.jsonl"
    fill(sheet, {question.id: {"决定": "修改", "修改后的全文": LONGER}})
    assert take_sheet(sheet, SOME, into).still_open == 2
    fill(sheet, {dialogue.id: {"决定": "通过"}})
    taken = take_sheet(sheet, SOME, into)
    assert (taken.decisions, taken.known, taken.still_open) == ({"accept": 1}, 1, 1)
    assert taken.changed_since == ()
    again = take_sheet(sheet, SOME, into)
    assert (again.decisions.total(), again.known) == (0, 2)
    assert len(read_reviews([into])) == 2


def test_words_that_changed_after_the_sheet_was_made_are_told_and_left_out(sheet, tmp_path):
    question, dialogue, _ = SOME
    fill(sheet, {question.id: {"决定": "通过"}, dialogue.id: {"决定": "通过"}})
    rewritten = question.model_copy(update={"title": "别的问题"})
    into = tmp_path / "reviews.jsonl"
    taken = take_sheet(sheet, [rewritten, dialogue], into)
    assert (taken.decisions, taken.changed_since) == ({"accept": 1}, (question.id,))
    assert [one.key for one in read_reviews([into])] == [dialogue.id]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"决定": "可以"}, "the decision is none of 通过, 修改, 不用"),
        ({"决定": "修改"}, "the new words are missing"),
        ({"修改后的全文": LONGER}, "no decision says so"),
        ({"决定": "通过", "修改后的全文": LONGER}, "the decision is not 修改"),
        ({"决定": "不用"}, "no note says why"),
        ({"决定": "修改", "修改后的全文": "同上"}, "too short to be the whole text"),
        ({"决定": "修改", "修改后的全文": f"{LONGER}加微信 xinli123 聊。"}, "number or contact"),
        ({"决定": "通过", "要审的文字": "我直接改在这一格里了。"}, "put the new words into 修改后的全文"),
        ({"要审的文字": "我直接改在这一格里了。"}, "put the new words into 修改后的全文"),
        ({"决定": "修改", "修改后的全文": f"{LONGER}可以打400-161-9995。"}, "not in the directory"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_nothing_is_taken(sheet, tmp_path, cells, fault):
    fill(sheet, {SOME[0].id: cells, SOME[2].id: {"决定": "通过"}})
    into = tmp_path / "reviews.jsonl"
    with pytest.raises(MalformedInput, match=fault) as caught:
        take_sheet(sheet, SOME, into)
    assert f"row 3 ({SOME[0].id}): " in str(caught.value)
    assert "nothing was taken" in str(caught.value)
    assert not into.exists()


def test_a_dialogue_without_speakers_is_refused(sheet, tmp_path):
    fill(sheet, {SOME[1].id: {"决定": "修改", "修改后的全文": f"来访者：{LONGER}\n谁知道"}})
    with pytest.raises(MalformedInput, match="must begin with 来访者： or 咨询师："):
        take_sheet(sheet, SOME, tmp_path / "reviews.jsonl")


@pytest.mark.parametrize(
    "about",
    [
        {NAME_CELL: None},
        {NAME_CELL: "王医生 13800000000"},
        {NAME_CELL: "王医生\n请加我"},
        {LICENCE_CELL: " "},
        {DATE_CELL: "昨天"},
        {DATE_CELL: "2026-13-40"},
        {DATE_CELL: "2062-11-30"},
        {DATE_CELL: None},
    ],
)
def test_nobody_signs_without_name_licence_and_date(sheet, tmp_path, about):
    fill(sheet, {SOME[0].id: {"决定": "通过"}}, about)
    with pytest.raises(MalformedInput, match="nothing was taken"):
        take_sheet(sheet, SOME, tmp_path / "reviews.jsonl")
    assert not (tmp_path / "reviews.jsonl").exists()


def test_a_date_that_the_spreadsheet_made_of_the_text_is_taken(sheet, tmp_path):
    as_spreadsheets_keep_it = dt.datetime.combine(dt.date(2026, 12, 1), dt.time())
    fill(sheet, {SOME[0].id: {"决定": "通过"}}, {DATE_CELL: as_spreadsheets_keep_it})
    take_sheet(sheet, SOME, tmp_path / "reviews.jsonl")
    assert read_reviews([tmp_path / "reviews.jsonl"])[0].date == dt.date(2026, 12, 1)


@pytest.mark.parametrize("date", ["2026-12-1", "2026/12/01", "2026.12.1", "2026年12月1日"])
def test_dates_are_read_as_people_write_them(sheet, tmp_path, date):
    fill(sheet, {SOME[0].id: {"决定": "通过"}}, {DATE_CELL: date})
    take_sheet(sheet, SOME, tmp_path / "reviews.jsonl")
    assert read_reviews([tmp_path / "reviews.jsonl"])[0].date == dt.date(2026, 12, 1)


def test_of_the_same_words_the_later_decision_wins_and_a_rejection_can_be_taken_back(sheet, tmp_path):
    into, key = tmp_path / "reviews.jsonl", SOME[0].id
    for day, decision in enumerate(("通过", "不用", "通过", "不用"), 1):
        fill(sheet, {key: {"决定": decision, "意见": "再想了想"}}, {DATE_CELL: f"2026-12-{day}"})
        assert take_sheet(sheet, SOME, into).decisions.total() == 1
        standing = {record.id for record in reviewed(SOME, read_reviews([into]))}
        assert (key in standing) == (decision == "通过")


def test_an_old_sheet_taken_in_again_does_not_undo_what_came_after_it(sheet, tmp_path):
    into, key = tmp_path / "reviews.jsonl", SOME[0].id
    fill(sheet, {key: {"决定": "通过"}})
    old = sheet.read_bytes()
    take_sheet(sheet, SOME, into)
    fill(sheet, {key: {"决定": "不用", "意见": "再想了想"}}, {NAME_CELL: "李医生"})
    take_sheet(sheet, SOME, into)
    sheet.write_bytes(old)
    taken = take_sheet(sheet, SOME, into)
    assert (taken.decisions.total(), taken.overtaken) == (0, (key,))
    assert key not in {record.id for record in reviewed(SOME, read_reviews([into]))}


def test_decisions_of_two_files_count_in_the_order_in_which_they_came_in(sheet, tmp_path):
    mine, shipped, key = tmp_path / "mine.jsonl", tmp_path / "shipped.jsonl", SOME[0].id
    fill(sheet, {key: {"决定": "通过"}})
    take_sheet(sheet, SOME, mine)
    fill(sheet, {key: {"决定": "不用", "意见": "再想了想"}})
    earlier = read_reviews([shipped, mine])
    take(sheet, reviewed(SOME, earlier, rejected_too=True), earlier, shipped, later)
    for places in ([shipped, mine], [mine, shipped]):
        assert key not in {record.id for record in reviewed(SOME, read_reviews(places))}


def test_another_decision_about_words_that_a_change_has_replaced_is_told(sheet, tmp_path):
    into, key = tmp_path / "reviews.jsonl", SOME[0].id
    fill(sheet, {key: {"决定": "修改", "修改后的全文": LONGER}})
    take_sheet(sheet, SOME, into)
    fill(sheet, {key: {"决定": "不用", "修改后的全文": None, "意见": "还是不要"}})
    taken = take_sheet(sheet, SOME, into)
    assert (taken.decisions.total(), taken.known, taken.changed_since) == (0, 0, (key,))


def test_a_record_that_stands_there_twice_or_without_its_number_is_told(sheet, tmp_path):
    book = load_workbook(sheet)
    page = book[ROWS]
    page.append([cell.value for cell in page[2]])
    book.save(sheet)
    with pytest.raises(MalformedInput, match="more than once"):
        take_sheet(sheet, SOME, tmp_path / "r")
    page.delete_rows(page.max_row)
    page.cell(2, COLUMN["编号"]).value = None
    page.cell(2, COLUMN["决定"]).value = "通过"
    book.save(sheet)
    with pytest.raises(MalformedInput, match="no 编号"):
        take_sheet(sheet, SOME, tmp_path / "r")


def test_merged_cells_and_a_damaged_file_are_told(sheet, tmp_path):
    book = load_workbook(sheet)
    book[ROWS].merge_cells("I2:I3")
    book.save(sheet)
    with pytest.raises(MalformedInput, match="merged"):
        take_sheet(sheet, SOME, tmp_path / "r")
    raw = sheet.read_bytes()
    sheet.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UnknownFormat, match="damaged"):
        take_sheet(sheet, SOME, tmp_path / "r")


def test_a_note_with_any_line_end_can_be_read_again(sheet, tmp_path):
    fill(sheet, {SOME[0].id: {"决定": "通过", "意见": "一\u2028二\u0085三\r\n四"}})
    into = tmp_path / "reviews.jsonl"
    take_sheet(sheet, SOME, into)
    assert [one.key for one in read_reviews([into])] == [SOME[0].id]


def test_what_is_no_sheet_is_told(tmp_path):
    with pytest.raises(MissingFile):
        take_sheet(tmp_path / "none.xlsx", SOME, tmp_path / "r")
    (tmp_path / "text.xlsx").write_text("编号,决定")
    with pytest.raises(UnknownFormat, match=r"no \.xlsx file"):
        take_sheet(tmp_path / "text.xlsx", SOME, tmp_path / "r")
    path = tmp_path / "review.xlsx"
    write_sheet(SOME, path)
    book = load_workbook(path)
    book[ROWS].cell(1, COLUMN["决定"]).value = "意见二"
    book[ABOUT][NAME_CELL], book[ABOUT][LICENCE_CELL], book[ABOUT][DATE_CELL] = "王", "1", "2026-11-30"
    book.save(path)
    with pytest.raises(MalformedInput, match="columns 决定 are missing"):
        take_sheet(path, SOME, tmp_path / "r")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spans_stay_contiguous_over_any_change_of_words(data):
    text = st.text(alphabet="一二三四五六。，\n", min_size=1, max_size=40)
    old, new = data.draw(text), data.draw(text)
    cuts = sorted({0, len(old), *data.draw(st.lists(st.integers(0, len(old)), max_size=4))})
    spans = [Span(start=a, end=b, type="Others") for a, b in itertools.pairwise(cuts)]
    moved = _moved_spans(spans, old, new)
    if moved:
        assert (moved[0].start, moved[-1].end) == (0, len(new))
        assert all(a.end == b.start and a.start < a.end for a, b in itertools.pairwise(moved))
    if old == new:
        assert list(moved) == spans
