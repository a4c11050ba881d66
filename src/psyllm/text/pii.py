"""Finding and masking what points at a person: numbers, accounts, addresses, names.

Texts come in; spans, or the texts with marks such as 〔电话〕, come out with the
way of the other characters. Patterns stand in `personal_data.toml`, names in
`names.toml`. What belongs to everybody stays (help lines, emergency, 400 and
800 numbers, public figures), and so does what is too weak to point at one
person: a city, a year, 王老师, 李阿姨, 小李. All persons get the same mark. A
mark may hide a word that screening reads: whoever has the first words of a
visitor screens these, not the masked ones.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from psyllm.text.offsets import Edit, Offsets
from psyllm.text.personal_names import name_spans
from psyllm.text.personal_patterns import PiiKind, PiiSpan, pattern_hits, without_overlaps
from psyllm.text.plain_forms import plain_form

MARKS: dict[PiiKind, str] = {
    "id_number": "〔证件号〕",
    "email": "〔邮箱〕",
    "phone": "〔电话〕",
    "wechat": "〔微信〕",
    "qq": "〔QQ〕",
    "bank_card": "〔银行卡〕",
    "plate": "〔车牌〕",
    "profile": "〔主页〕",
    "handle": "〔账号〕",
    "birth_date": "〔生日〕",
    "address": "〔地址〕",
    "school": "〔学校〕",
    "name": "〔姓名〕",
}

_MARK = re.compile("|".join(MARKS.values()))


class Masked(NamedTuple):
    """A text with marks; `shift` remaps spans, `counts` has only kinds that were found."""

    text: str
    counts: dict[str, int]
    shift: Offsets


def find_pii(text: str) -> list[PiiSpan]:
    """Return what points at a person, in order and without overlaps."""
    plain = plain_form(text)
    names = (PiiSpan("name", *place) for place in name_spans(plain))
    return sorted(without_overlaps([*pattern_hits(plain), *names]), key=lambda span: span.start)


def mask_pii(text: str) -> Masked:
    """Return the text with a mark in place of each find; masking twice changes nothing more."""
    return mask_texts([text]).get(text, Masked(text, {}, Offsets()))


def mask_texts(texts: Sequence[str]) -> dict[str, Masked]:
    """Return those texts of one record that change, by what they were.

    They are looked at together: a name told in one is a name in all, and nearly every record
    holds nothing, which one look tells.
    """
    first = find_pii("\n".join(texts))
    if not first:
        return {}
    masked = [Masked(text, {}, Offsets()) for text in texts]
    # A mark may set free a number that hung on another one, or bare a name: until nothing is left.
    spans = first
    while spans:
        masked = _masked_once(masked, spans)
        spans = find_pii("\n".join(one.text for one in masked))
    return {text: one for text, one in zip(texts, masked, strict=True) if one.counts}


def without_marks(text: str) -> str:
    """Return the text without any mark: their words (电话, 姓名) are nobody's, and would be read by screening."""
    return _MARK.sub("", text) if "〔" in text else text


def _masked_once(masked: list[Masked], spans: list[PiiSpan]) -> list[Masked]:
    """Return the texts with these spans of the joined texts masked; none reaches over a line break."""
    starts = list(accumulate((len(one.text) + 1 for one in masked), initial=0))
    own: dict[int, list[PiiSpan]] = {}
    for kind, start, end in spans:
        number = bisect_right(starts, start) - 1
        own.setdefault(number, []).append(PiiSpan(kind, start - starts[number], end - starts[number]))
    return [_further(one, own[number]) if number in own else one for number, one in enumerate(masked)]


def _further(masked: Masked, spans: list[PiiSpan]) -> Masked:
    pieces: list[str] = []
    edits: list[Edit] = []
    last = new_start = 0
    for kind, start, end in spans:
        mark = MARKS[kind]
        new_start += start - last
        pieces += [masked.text[last:start], mark]
        edits.append(Edit(start, end, new_start, new_start + len(mark)))
        new_start += len(mark)
        last = end
    counts = Counter(masked.counts)
    counts.update(span.kind for span in spans)
    text = "".join([*pieces, masked.text[last:]])
    return Masked(text, dict(counts), masked.shift.then(Offsets((tuple(edits),))))
