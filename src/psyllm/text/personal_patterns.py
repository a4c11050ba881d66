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
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
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
# But not the number that somebody calls his own between it and the word (热线12356，我家电话010-62345678). What may
# be about something else (家里有孩子的请拨打…) or names a line (知心姐姐, 温暖之家) counts less or not.
_KIN = (
    "(?<!知心)(?<!知心.)(?<!爱心)(?<!爱心.)(?:妈妈?|爸爸?|母亲|父亲|爷爷|奶奶|外公|外婆|姥姥|姥爷|公公|婆婆"
    "|老公|老婆|丈夫|妻子|爱人|儿子|女儿|哥哥?|姐姐?|弟弟?|妹妹?|叔叔|阿姨|舅舅|姑姑|姨妈|男友|女友|男朋友|女朋友|前任|前夫|前妻)"
    "|[我他她你]的?(?:对象|同事|同学|室友|舍友|朋友|闺蜜)"
)
_CONTACT = "电话|手机|号码|座机|固话|联系方式|宅电|号"
_NEARBY = "附近|旁|门口|这边|这里|对面|楼下"
_OWN = (
    f"[我他她]家(?!{_NEARBY})|本人|自家|我留|(?:联系|打给?|找|加|呼|(?i:call) ?)我(?!们)"
    f"|[我他她]的?(?:{_KIN})?的?(?:{_CONTACT}|宿舍)"
)
_BESIDE = f"(?:{_KIN}|(?:家里|家中|老家|宿舍|宅电|私人|个人)(?!人|有|{_NEARBY}))"
_SAYS = f"(?:{_CONTACT}|的|家|里|固定|方式|就|是|为|[:：,， \u3000])"
_OWN_BEFORE = re.compile(rf"{_OWN}|{_BESIDE}{_SAYS}{{0,8}}[+(（]?\Z")
_OWN_ALONE_BEFORE = re.compile(rf"(?:{_OWN}|{_BESIDE}){_SAYS}{{0,8}}[+(（]?\Z")
_OWN_AFTER = re.compile(f"[)）（( ,，]{{0,2}}(?:就?是|为)?(?:{_OWN}|[我他她]?的?{_BESIDE})")
_NEAR_CHARS = 20
_CLAUSE_ENDS = re.compile("[。！？!?\n]")
_SERVICE_NUMBER = re.compile(r"[48]00\d{7}")
_NOT_DIGIT = re.compile(r"[^0-9]")
_NOT_ID = re.compile(r"[^0-9Xx]")
_GROUP = re.compile("[0-9]+")
# Between the groups of a number, or the members of a list.
_COMMA = "[,，、。/|.]"
# A round sum or a year: two of them after a number are rather a list of prices or dates.
_NO_SUM = re.compile("0|[0-9]{5}")
_AMOUNT = re.compile("[1-9][0-9]00|19[0-9]{2}|20[0-9]{2}")
_UNIT = re.compile("[ 多余几]?[元块万千百毫米斤克岁年月日天分秒个人次名页度级字%\uff05]")
_CALLED = re.compile("电话|手机|座机|号|联系|打|拨|短信|微信|加我|找我|留|(?i:tel|phone|call)")
_COUNTED = re.compile("价|花|费|租|钱|薪|工资|收入|分别|依次|各|共|名次|成绩|考")
_CALLED_CHARS = 8
_GOES_ON_BEFORE = re.compile(f"[0-9]{_COMMA} ?\\Z")
_GOES_ON_AFTER = re.compile(f"{_COMMA} ?[0-9]")
_ODD_DIGIT = re.compile(r"[^\W0-9_]")
_PART = re.compile(r"(?<!P)<([a-z]+)>")
_LINE = re.compile("[^\n]+")
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
    """The rows in order, the gates by name, and which of these open rows."""

    rows: tuple[Row, ...]
    gates: dict[str, re.Pattern[str]]
    row_gates: frozenset[str]


def pattern_hits(plain: str) -> list[PiiSpan]:
    """Return what the patterns find, without overlaps, line by line in the order of the table."""
    table = load_table()
    if not (table.gates["any"].search(plain) or table.gates["words"].search(plain)):
        return []
    copies = [plain]
    if table.gates["place"].search(plain) or _has_odd_digits(plain, table.gates["digits"]):
        # First with all digits read, then as it stands: a digit beside a number may be none (①13800138000, 一138…).
        copies = [plain_digits(plain), plain]
    return [span for line in lines(plain) for span in _line_hits(copies, *line, table)]


def without_overlaps(spans: Iterable[PiiSpan]) -> list[PiiSpan]:
    """Return the spans in their order, without those that share a character with an earlier one."""
    kept: list[PiiSpan] = []
    places: list[tuple[int, int]] = []
    for span in spans:
        at = bisect_left(places, (span.end,))
        if at == 0 or places[at - 1][1] <= span.start:
            places.insert(at, (span.start, span.end))
            kept.append(span)
    return kept


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line that is not empty starts and ends: looking at few lines is cheaper than at all."""
    for match in _LINE.finditer(text):
        yield match.span()


def is_id_number(number: str) -> bool:
    """Return whether 18 characters (others between them aside) have a real date and the right check digit.

    Source: GB 11643-1999.
    """
    number = _NOT_ID.sub("", number)
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
    return not _is_of_help_line(_CLAUSE_ENDS.split(before)[-1], _CLAUSE_ENDS.split(after)[0])


def _is_of_help_line(before: str, after: str) -> bool:
    """Return whether a help line is spoken of beside a number, and nobody's own number between the two."""
    words = [word.end() for word in _HELP.finditer(before)]
    if words:
        return not _OWN_BEFORE.search(before, words[-1])
    word = _HELP.search(after)
    return word is not None and not (
        _OWN_ALONE_BEFORE.search(before) or _OWN_AFTER.match(after, 0, word.start())
    )


def _is_private_number_in_groups(plain: str, start: int, end: int) -> bool:
    """Return whether groups of digits are a private number, and no list of prices, years or counts."""
    return not _is_list(plain, start, end) and _is_private_number(plain, start, end)


def _is_list(plain: str, start: int, end: int) -> bool:
    groups = _GROUP.findall(plain[start:end])
    if not re.search(_COMMA, plain[start:end]) or any(_NO_SUM.match(group) for group in groups[1:]):
        return False
    first = max(0, start - _CALLED_CHARS)
    if _CALLED.search(plain, first, start):
        return False
    is_told = "、" in plain[start:end] or _COUNTED.search(plain, first, start) or _UNIT.match(plain, end)
    goes_on = _GOES_ON_BEFORE.search(plain, first, start) or _GOES_ON_AFTER.match(plain, end)
    return bool(is_told or goes_on or all(map(_AMOUNT.fullmatch, groups[-2:])))


def _has_odd_digits(plain: str, runs: re.Pattern[str]) -> bool:
    return any(_ODD_DIGIT.search(run[0]) for run in runs.finditer(plain))


def _is_handle(plain: str, start: int, end: int) -> bool:
    """Return whether it may be a name on a platform: a short number is a count, a capital begins a title."""
    name = plain[start:end]
    return len(name) >= 6 if name.isdigit() else not (name.isalpha() and name.istitle())


@functools.cache
def load_table() -> Table:
    """Return the table of patterns."""
    tables = tomllib.loads(TABLE.read_text("utf-8"))
    parts = tables["parts"]
    gates = {name: compiled(pattern, parts) for name, pattern in tables["gates"].items()}
    rows = tuple(_row(row, parts) for row in tables["patterns"])
    return Table(rows, gates, frozenset(name for row in rows for name in row.gates))


def _line_hits(copies: Sequence[str], start: int, end: int, table: Table) -> list[PiiSpan]:
    """Return what stands in a line of the copies, which differ by their digits; the first copy's finds go first."""
    first, *others = copies
    gates = table.gates
    # What opens a gate in another copy opens it in the first, where more digits are read.
    if not (gates["any"].search(first, start, end) or gates["words"].search(first, start, end)):
        return []
    hits = _copy_hits(first, start, end, table)
    for other in others:
        if other[start:end] != first[start:end]:
            hits = chain(hits, _copy_hits(other, start, end, table))
    return without_overlaps(hits)


def _copy_hits(plain: str, start: int, end: int, table: Table) -> Iterator[PiiSpan]:
    is_open = {name for name in table.row_gates if table.gates[name].search(plain, start, end)}
    for row in table.rows:
        if not is_open.isdisjoint(row.gates):
            yield from _hits(row, plain, start, end)


def _row(row: Mapping[str, Any], parts: Mapping[str, str]) -> Row:
    check = _CHECKS[row["check"]] if "check" in row else None
    return Row(row["id"], row["kind"], compiled(row["pattern"], parts), tuple(row["gate"].split()), check)


def compiled(pattern: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    """Return the pattern with the parts that it names (<place>) put in."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda match: parts[match[1]], pattern)
    return re.compile(pattern)


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
    "number_in_groups": _is_private_number_in_groups,
    "handle": _is_handle,
}
