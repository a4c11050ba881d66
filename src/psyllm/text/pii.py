"""Finding and masking what points at a person: phone, ID number, e-mail, WeChat, QQ.

Text comes in; spans, or the text with marks such as 〔电话〕, come out with the
way of the other characters. Numbers that belong to everybody (help lines,
emergency, 400 and 800 service numbers) stay. Names, addresses and
employers are not looked for: patterns can't tell them from other words.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from psyllm.text.offsets import Edit, Offsets

PiiKind = Literal["id_number", "email", "phone", "wechat", "qq"]
MARKS: dict[PiiKind, str] = {
    "id_number": "〔证件号〕",
    "email": "〔邮箱〕",
    "phone": "〔电话〕",
    "wechat": "〔微信〕",
    "qq": "〔QQ〕",
}
# Help lines long enough to look like somebody's number, as digits (shorter ones never do; 400 and
# 800 numbers are let through by their form). Source: the lines' public pages; a test of the safety
# room holds its directory against this.
PUBLIC_NUMBERS = frozenset(("01082951332", "23892222", "28960000", "23820000"))

# Any text without one of these holds nothing that we mask.
_GATE = re.compile(
    r"[0-9\uff10-\uff19]{4}|(?:[0-9\uff10-\uff19][-\uff0d .·]?){7}|[@\uff20#]|艾特|微信|[薇威徽]信|"
    r"(?i:v信|vx|wx|wechat|weixin|qq|扣扣)|[〇零一二三四五六七八九幺]{7}"
)
# One character for one, so that positions stay.
_NARROW = {
    **{0xFF10 + digit: 0x30 + digit for digit in range(10)},
    **{ord(wide): ord(wide) - 0xFEE0 for wide in "\uff20\uff0e\uff0d\uff3f\uff03：（）"},
    **dict(zip(map(ord, "〇零一二三四五六七八九幺"), b"001234567891", strict=True)),
}
_GAP = r"[-. ·]?"
_NUMBER_STARTS = r"(?<![0-9A-Za-z])(?<![0-9][-.])"
_NUMBER_ENDS = r"(?![0-9])(?!\.[0-9])"
_LINK = r"[^0-9A-Za-z\n〔〕。！？!?]"

_ID_NUMBER = re.compile(
    rf"{_NUMBER_STARTS}[1-9]\d{{5}} ?(?:18|19|20)\d{{2}}[01]\d[0-3]\d ?\d{{3}}[0-9Xx](?![0-9A-Za-z])"
)
_NAMED_ID = re.compile(
    rf"(?:身份证|护照|通行证|社保卡|证件)(?:{_LINK}){{0,6}}(?P<value>[A-Za-z]{{0,2}}\d{{6,17}}[0-9Xx](?:\(\d\))?)(?![0-9A-Za-z])"
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63} ?(?:@|\(at\)|\[at\]|艾特|#(?=(?:qq|163|126|gmail)[.点])) ?"
    r"(?:[A-Za-z0-9-]{1,63} ?[.点] ?)+[A-Za-z]{2,10}(?![A-Za-z0-9])"
)
_MOBILE = re.compile(rf"{_NUMBER_STARTS}(?:\+?(?:00)?86{_GAP})?1{_GAP}[3-9](?:{_GAP}\d){{9}}{_NUMBER_ENDS}")
_LANDLINE = re.compile(
    rf"{_NUMBER_STARTS}\(?0(?:10|2\d|[3-9]\d{{2}})\)?[- ]?[2-9]\d{{2,3}}[- ]?\d{{4}}(?:-\d{{1,5}})?{_NUMBER_ENDS}"
)
_ABROAD = re.compile(
    rf"{_NUMBER_STARTS}(?:\+(?!86)\d{{1,3}}[- ]?(?:\d[- ]?){{6,11}}\d|09\d{{2}}-?\d{{3}}-?\d{{3}}){_NUMBER_ENDS}"
)
_NAMED_PHONE = re.compile(
    rf"(?:电话|手机|座机|号码|联系方式|(?i:tel|phone|call me at))(?:{_LINK}){{0,6}}"
    rf"(?P<value>\+?\d(?:[- ]?\d){{6,11}}){_NUMBER_ENDS}"
)
_WECHAT = re.compile(
    r"(?i:(?:微信|[薇威徽]信|v信|(?<![A-Za-z])(?:vx|wx|wechat|weixin|v(?=[:号 ]))))"
    r"(?:群|号码|号|名|ID|id|同号|是|为|叫|加我|搜|[: ,，\"“]){0,5}"
    r"(?P<value>wxid_[A-Za-z0-9]{6,20}|[A-Za-z](?=[A-Za-z_-]*[0-9_])[A-Za-z0-9_-]{5,19}|\d{6,12})(?![A-Za-z0-9_@-])"
)
_QQ = re.compile(
    r"(?i:(?<![A-Za-z])qq|扣扣|企鹅号|球球号?)(?:群|号码|号|是|为|加我|[: ,，\"“]){0,5}(?P<value>[1-9]\d{4,10})(?![0-9A-Za-z@.])"
)
_SERVICE_NUMBER = re.compile(r"[48]00\d{7}")
# Earlier kinds win where two overlap: a number inside an ID number is no phone.
_PATTERNS: tuple[tuple[PiiKind, re.Pattern[str]], ...] = (
    ("email", _EMAIL),
    ("id_number", _ID_NUMBER),
    ("id_number", _NAMED_ID),
    ("wechat", _WECHAT),
    ("qq", _QQ),
    ("phone", _MOBILE),
    ("phone", _LANDLINE),
    ("phone", _ABROAD),
    ("phone", _NAMED_PHONE),
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class PiiSpan(NamedTuple):
    """Characters `start:end` are of this kind."""

    kind: PiiKind
    start: int
    end: int


class Masked(NamedTuple):
    """A text with marks; `shift` remaps spans, `counts` has only kinds that were found."""

    text: str
    counts: dict[str, int]
    shift: Offsets


def find_pii(text: str) -> list[PiiSpan]:
    """Return what points at a person, in order and without overlaps."""
    if not _GATE.search(text):
        return []
    plain = text.translate(_NARROW)
    taken: list[PiiSpan] = []
    for kind, pattern in _PATTERNS:
        for span in _spans(kind, pattern, plain):
            if all(span.end <= other.start or span.start >= other.end for other in taken):
                taken.append(span)
    return sorted(taken, key=lambda span: span.start)


def mask_pii(text: str) -> Masked:
    """Return the text with a mark in place of each find; masking twice changes nothing more."""
    counts: Counter[str] = Counter()
    shift = Offsets()
    while spans := find_pii(text):  # a mark may set free a number that hung on another one
        text, later = _masked_once(text, spans)
        shift = shift.then(later)
        counts.update(span.kind for span in spans)
    return Masked(text, dict(counts), shift)


def is_id_number(number: str) -> bool:
    """Return whether 18 characters have a real date and the right check digit (GB 11643-1999)."""
    try:
        dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _masked_once(text: str, spans: list[PiiSpan]) -> tuple[str, Offsets]:
    pieces: list[str] = []
    edits: list[Edit] = []
    last = new_start = 0
    for span in spans:
        mark = MARKS[span.kind]
        new_start += span.start - last
        pieces += [text[last : span.start], mark]
        edits.append(Edit(span.start, span.end, new_start, new_start + len(mark)))
        new_start += len(mark)
        last = span.end
    return "".join([*pieces, text[last:]]), Offsets((tuple(edits),))


def _spans(kind: PiiKind, pattern: re.Pattern[str], plain: str) -> Iterator[PiiSpan]:
    group = "value" if "value" in pattern.groupindex else 0
    for match in pattern.finditer(plain):
        digits = re.sub(r"\D", "", match[group])
        if kind == "phone" and (digits in PUBLIC_NUMBERS or _SERVICE_NUMBER.fullmatch(digits)):
            continue
        if pattern is _ID_NUMBER and not is_id_number(match[0].replace(" ", "")):
            continue
        yield PiiSpan(kind, *match.span(group))
