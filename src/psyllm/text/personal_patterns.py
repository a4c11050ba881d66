"""Patterns of what points at a person (`personal_data.toml`), read and applied.

A plain copy of a text comes in (`plain_forms.py`); what the patterns find goes
out as kind and place, the stronger pattern first. Cheap gates come before
them: most texts hold nothing, and hardly anything is spent on these. Names are
`personal_names.py`'s, and marks are `pii.py`'s.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from psyllm.text.plain_forms import plain_digits

PiiKind = Literal[
    "id_number",
    "email",
    "phone",
    "wechat",
    "qq",
    "bank_card",
    "plate",
    "profile",
    "handle",
    "birth_date",
    "address",
    "school",
    "name",
]

TABLE = Path(__file__).parent / "personal_data.toml"

# Help lines long enough to look like somebody's number, as digits (shorter ones never do; 400 and
# 800 numbers are let through by their form). Source: the lines' public pages; a test of the safety
# room holds its directory against this.
PUBLIC_NUMBERS = frozenset(("01082951332", "23892222", "28960000", "23820000"))

_MOBILE = re.compile(r"(?:0{0,2}86)?1[3-9]\d{9}")
_TOLL_FREE = ("1-800-", "1-888-", "1-877-", "1-866-", "1 800 ")
# A number so near one of these is a help line's: never hidden, even if somebody's own stays for it.
_HELP = re.compile(
    "热线|援助|危机|干预|救助|求助|生命线|自杀预防|客服|(?i:hotline|helpline|lifeline|samaritans)"
)
_NEAR_CHARS = 20
_CLAUSE_ENDS = re.compile("[。！？!?\n]")
_SERVICE_NUMBER = re.compile(r"[48]00\d{7}")
_NOT_DIGIT = re.compile(r"[^0-9]")
_PART = re.compile(r"(?<!P)<([a-z]+)>")
_LINE = re.compile("[^\n]+")
# These in a row may be a number that a gate for 0 to 9 would miss.
_CHINESE_DIGITS = re.compile("[〇零一二三四五六七八九幺]{6}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
# Words of harm: a place that seems to hold one begins after it, so that masking never hides it.
_HARM = re.compile("自杀|轻生|跳楼|跳河|割腕|去死|想死|上吊|烧炭|吞药|吃药|跳下|杀|死")


class PiiSpan(NamedTuple):
    """Characters `start:end` are of this kind."""

    kind: PiiKind
    start: int
    end: int


class Row(NamedTuple):
    """A pattern of the table; `check` takes the text and the place, `gates` are the names of any that opens it."""

    id: str
    kind: PiiKind
    pattern: re.Pattern[str]
    gates: tuple[str, ...]
    check: Callable[[str, int, int], bool] | None


class Table(NamedTuple):
    """The rows in order and the gates by name."""

    rows: tuple[Row, ...]
    gates: dict[str, re.Pattern[str]]


def pattern_hits(plain: str) -> list[PiiSpan]:
    """Return what the patterns find, without overlaps, line by line in the order of the table."""
    table = load_table()
    if not (table.gates["any"].search(plain) or table.gates["words"].search(plain)):
        return []
    if table.gates["place"].search(plain) or _CHINESE_DIGITS.search(plain):
        plain = plain_digits(plain)
    return [span for line in lines(plain) for span in _line_hits(plain, *line, table)]


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line that is not empty starts and ends: looking at few lines is cheaper than at all."""
    for match in _LINE.finditer(text):
        yield match.span()


def is_id_number(number: str) -> bool:
    """Return whether 18 characters (spaces aside) have a real date and the right check digit (GB 11643-1999)."""
    number = number.replace(" ", "")
    try:
        dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def is_card_number(number: str) -> bool:
    """Return whether 15 to 19 digits have Luhn's check digit (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(_NOT_DIGIT.sub("", number))]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return 15 <= len(digits) <= 19 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _has_id_digit(plain: str, start: int, end: int) -> bool:
    return is_id_number(plain[start:end])


def _has_card_digit(plain: str, start: int, end: int) -> bool:
    return is_card_number(plain[start:end])


def _is_private_number(plain: str, start: int, end: int) -> bool:
    """Return whether a telephone number is no help line and no service number, by itself and by its neighbours."""
    number = plain[start:end]
    digits = _NOT_DIGIT.sub("", number)
    if digits in PUBLIC_NUMBERS or _SERVICE_NUMBER.fullmatch(digits) or number.startswith(_TOLL_FREE):
        return False
    before, after = plain[max(0, start - _NEAR_CHARS) : start], plain[end : end + _NEAR_CHARS]
    if before.rstrip("+").endswith("](tel:") or after.startswith("](tel:"):  # a page that wants to be called
        return False
    if _MOBILE.fullmatch(digits):
        return True
    return not _HELP.search(_CLAUSE_ENDS.split(before)[-1] + _CLAUSE_ENDS.split(after)[0])


def _is_handle(plain: str, start: int, end: int) -> bool:
    """Return whether it may be a name on a platform: a short number is a count, a capital begins a title."""
    name = plain[start:end]
    return len(name) >= 6 if name.isdigit() else not (name.isalpha() and name.istitle())


@functools.cache
def load_table() -> Table:
    """Return the table of patterns."""
    tables = tomllib.loads(TABLE.read_text("utf-8"))
    gates = {name: re.compile(pattern) for name, pattern in tables["gates"].items()}
    return Table(tuple(_row(row, tables["parts"]) for row in tables["patterns"]), gates)


def _line_hits(plain: str, start: int, end: int, table: Table) -> list[PiiSpan]:
    gates = table.gates
    if not (gates["any"].search(plain, start, end) or gates["words"].search(plain, start, end)):
        return []
    is_open = {name for name, gate in gates.items() if gate.search(plain, start, end)}
    taken: list[PiiSpan] = []
    for row in table.rows:
        if is_open.isdisjoint(row.gates):
            continue
        for hit in _hits(row, plain, start, end):
            if all(hit.end <= other.start or hit.start >= other.end for other in taken):
                taken.append(hit)
    return taken


def _row(row: Mapping[str, Any], parts: Mapping[str, str]) -> Row:
    pattern = row["pattern"]
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: parts[match[1]], pattern)
    check = _CHECKS[row["check"]] if "check" in row else None
    return Row(row["id"], row["kind"], re.compile(pattern), tuple(row["gate"].split()), check)


def _hits(row: Row, plain: str, line_start: int, line_end: int) -> Iterator[PiiSpan]:
    for match in row.pattern.finditer(plain, line_start, line_end):
        group = match.lastgroup or 0
        if row.check is not None and not row.check(plain, *match.span(group)):
            continue
        start, end = match.span(group)
        for harm in _HARM.finditer(plain, start, end):
            start = harm.end()
        if start < end:
            yield PiiSpan(row.kind, start, end)


_CHECKS = {
    "id_digit": _has_id_digit,
    "card_digit": _has_card_digit,
    "private_number": _is_private_number,
    "handle": _is_handle,
}
