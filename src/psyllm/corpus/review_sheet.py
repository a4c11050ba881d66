"""The bundled corpus as a spreadsheet that a psychologist can review in a day.

Records as they stand now come in, an .xlsx file goes out: a page of
explanations with who reviews, and one row a record, the riskiest first. The
way back is `review_take.py`. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from openpyxl import Workbook
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from psyllm.core.records import Record, Turn
from psyllm.core.starter import level_by_hand
from psyllm.safety.directory import numbers
from psyllm.text.han import han_count

ABOUT, ROWS = "说明", "审阅"
# Where the reviewer writes who they are.
NAME_CELL, LICENCE_CELL, DATE_CELL = "B3", "B4", "B5"
DECISIONS = {"通过": "accept", "修改": "change", "不用": "reject"}
KINDS = {"question": "问答", "dialogue": "对话", "document": "文章"}
ROLES = {"visitor": "来访者", "counsellor": "咨询师"}
ORDERS = {1: "1 有危险", 2: "2 提到急救或求助", 3: "3 其余"}
# Careful silent reading of Chinese prose by a trained reader; an assumption of this project, said in the guide.
HAN_PER_MINUTE = 500


class Column(NamedTuple):
    """A column: its heading and its width in characters."""

    heading: str
    width: float


COLUMNS = (
    Column("编号", 20),
    Column("先后", 13),
    Column("类别", 7),
    Column("主题", 7),
    Column("危险（手标）", 11),
    Column("来访者的话", 46),
    Column("要审的文字", 90),
    Column("字数", 7),
    Column("决定", 9),
    Column("修改后的全文", 60),
    Column("意见", 30),
    Column("指纹", 10),
)


class Sheet(NamedTuple):
    """What a sheet holds: records, their Chinese characters, and how long reading takes."""

    records: int
    characters: int
    reading: timedelta


def write_sheet(records: Iterable[Record], path: Path) -> Sheet:
    """Write a sheet of these records and return what it holds."""
    rows = sorted(records, key=lambda record: (_order(record), list(KINDS).index(record.kind)))
    characters = sum(han_count(text) for record in rows for text in record.texts())
    sheet = Sheet(len(rows), characters, timedelta(minutes=round(characters / HAN_PER_MINUTE)))
    book = Workbook()
    about, page = book.worksheets[0], book.create_sheet(ROWS)
    about.title = ABOUT
    _explain(about, sheet)
    _fill(page, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return sheet


def words_of(record: Record) -> str:
    """Return the words that are reviewed, as they stand in the sheet and come back from it."""
    if record.kind == "question":
        return record.answers[0].text
    return dialogue_text(record.turns) if record.kind == "dialogue" else record.text


def dialogue_text(turns: Sequence[Turn]) -> str:
    """Return a dialogue as text, one turn a paragraph."""
    return "\n\n".join(f"{ROLES[turn.role]}：{turn.text}" for turn in turns)


def _order(record: Record) -> int:
    if level_by_hand(record) in {"risk", "urgent", "in_progress"}:
        return 1
    return 2 if any(number in words_of(record) for number in numbers()) else 3


def _explain(page: Worksheet, sheet: Sheet) -> None:
    hours = sheet.reading.total_seconds() / 3600
    lines: tuple[tuple[str, str | float], ...] = (
        ("Psy-LLM 自带文字审阅表", ""),
        ("先填这三格，再审。没有填的，表收不回来。", ""),
        ("姓名", ""),
        ("资格与编号", ""),
        ("日期（如 2026-11-30）", ""),
        ("", ""),
        ("共有", sheet.records),
        ("汉字", sheet.characters),
        ("通读约需（小时，按每分钟 500 字）", round(hours, 1)),
        ("已有决定", f"=COUNTA({ROWS}!{_letter('决定')}2:{_letter('决定')}{sheet.records + 1})"),
        ("", ""),
        ("怎样审：", ""),
        ("通过", "原样可以给来访者看。页面会写“由（姓名）审过”。"),
        ("修改", "把改好的全文写进“修改后的全文”。对话每段以“来访者：”或“咨询师：”开头。"),
        ("不用", "不再给任何人看，也不再用来训练。请在“意见”里写一句为什么。"),
        ("空着", "还没有审，可以以后再审。表可以分几次交，已经交过的不会重复记。"),
        ("请别动", "“编号”和“指纹”两列；行可以筛选、排序。"),
        ("先后", "“1 有危险”的先审，再审“2 提到急救或求助”的。其余可以另找时间。"),
        ("标准", "见 docs/review.md（审阅指南）与 docs/voice.md（十条写法）。"),
    )
    for row, (name, value) in enumerate(lines, 1):
        page.cell(row, 1, name).alignment = Alignment(wrap_text=True, vertical="top")
        page.cell(row, 2, value).alignment = Alignment(wrap_text=True, vertical="top", horizontal="left")
    page["A1"].font = Font(bold=True, size=14)
    for cell in (NAME_CELL, LICENCE_CELL, DATE_CELL):
        page[cell].fill = PatternFill("solid", fgColor="FFF4CC")
        page[cell].number_format = "@"
    page.column_dimensions["A"].width, page.column_dimensions["B"].width = 34, 80


def _fill(page: Worksheet, records: Sequence[Record]) -> None:
    page.append([column.heading for column in COLUMNS])
    for row, record in enumerate(records, 2):
        for place, value in enumerate(_cells(record), 1):
            cell = page.cell(row, place, value)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if isinstance(value, str):
                cell.data_type = "s"  # a text that begins with "=" is no formula
    last = len(records) + 1
    for place, column in enumerate(COLUMNS, 1):
        page.column_dimensions[get_column_letter(place)].width = column.width
        page.cell(1, place).font = Font(bold=True)
    page.column_dimensions[_letter("指纹")].hidden = True
    page.freeze_panes = "B2"
    page.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{last}"
    choice = DataValidation(type="list", formula1=f'"{",".join(DECISIONS)}"', allow_blank=True)
    choice.error, choice.errorTitle = "请选：通过、修改、不用，或空着", "决定"
    page.add_data_validation(choice)
    decided = _letter("决定")
    choice.add(f"{decided}2:{decided}{last}")
    for decision, colour in (("通过", "E3F1E4"), ("修改", "FFF4CC"), ("不用", "F6DCD6")):
        fill = PatternFill("solid", bgColor=colour)
        rule = FormulaRule(formula=[f'${decided}2="{decision}"'], fill=fill)
        page.conditional_formatting.add(f"A2:{get_column_letter(len(COLUMNS))}{last}", rule)


def _cells(record: Record) -> Iterator[str | int]:
    yield record.id
    yield ORDERS[_order(record)]
    yield KINDS[record.kind]
    yield record.topic
    yield level_by_hand(record)
    yield "" if record.kind == "dialogue" else "\n".join(part for part in _asked(record) if part)
    yield words_of(record)
    yield han_count(words_of(record))
    yield from ("", "", "")
    yield record.content_hash


def _asked(record: Record) -> tuple[str, str]:
    return (record.title, record.text if record.kind == "question" else "")


def _letter(heading: str) -> str:
    letter: str = get_column_letter([column.heading for column in COLUMNS].index(heading) + 1)
    return letter
