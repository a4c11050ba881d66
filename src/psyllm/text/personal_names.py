"""Names of persons in Chinese text, by cue and by shape (`names.toml`).

A plain copy of a text comes in (`plain_forms.py`); the places of names go out.
A cue ("我叫", "同事", "老师" behind it) or the shape of a full name (surname and
two characters fitting a given name) makes a candidate; stop words, public
figures and characters that no name holds take it back. A name found once is
a name everywhere in that text, its given name alone too. Weak signs stay:
王老师, 李阿姨, 小李, and whoever is named by a foreign or a short name only.
No parts of speech are asked: they take 谢谢 and 明白 for names.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from psyllm.text.han import is_han
from psyllm.text.personal_patterns import compiled, lines

TABLE = Path(__file__).parent / "names.toml"

_HAN = "\u4e00-\u9fff"
# What may follow a name of uncommon characters, when nothing else says where it ends.
_FOLLOW = "[的是在和跟与也就都说对很又被把给让他她我人]"
# Around a name of two characters that is told by being repeated.
_BEFORE = re.compile("[和跟被把让给对找与同是像向叫问说爱恨嫁娶等见陪]")
_AFTER = re.compile("[的是在和跟与也就都说对很又被把给让总经不没会要想来去打骂问喜今昨后]")
_LEAST_REPEATS = 2
_STOP_CHARS = (2, 3, 4)
# After these a given name may be a word of the language, too: 姓名：王平静.
_SURE_CUES = ("called", "named", "titled", "i-am")


class Names(NamedTuple):
    """The table, ready to look for names with; what no gate matches holds no name."""

    look: re.Pattern[str]
    told: re.Pattern[str]
    cues: tuple[tuple[str, re.Pattern[str]], ...]
    pairs: re.Pattern[str]
    plain: frozenset[str]
    given: frozenset[str]
    compound: tuple[str, ...]
    stop: frozenset[str]
    common: frozenset[str]
    public: re.Pattern[str]
    adverbs: frozenset[str]
    tails: dict[str, str]
    title: re.Pattern[str]


def name_spans(plain: str) -> list[tuple[int, int]]:
    """Return where names of persons stand, in order and without overlaps."""
    table = load_names()
    if not _may_hold_names(plain, 0, len(plain), table):
        return []
    found = {*_by_cue(plain, table), *_by_repetition(plain, table)}
    if not found:
        return []
    places = _everywhere(found | _given_alone(found, table), plain)
    return [place for place in places if not _is_public(plain, *place, table)]


def _everywhere(words: set[str], plain: str) -> Iterator[tuple[int, int]]:
    """Yield where the words stand, the longest first, without overlaps; many words take no longer than few."""
    lengths = sorted({len(word) for word in words}, reverse=True)
    last = 0
    for match in re.finditer(f"[{''.join({word[0] for word in words})}]", plain):
        start = match.start()
        chars = next((chars for chars in lengths if plain[start : start + chars] in words), 0)
        if chars and start >= last:
            last = start + chars
            yield start, last


def _may_hold_names(plain: str, start: int, end: int, table: Names) -> bool:
    """Return whether something looks like a name: few texts go on from here."""
    looks = table.look.finditer(plain, start, end)
    return any(_looks_likely(match, table) for match in looks) or bool(table.told.search(plain, start, end))


def _looks_likely(match: re.Match[str], table: Names) -> bool:
    word = match[0]
    if len(word) == 3 and word[0] in table.plain:
        return True
    text, start, end = match.string, *match.span()
    if word[0] not in table.plain and (
        _is_tail(text, start, table) or text[end - 1 : end + 1] in table.common
    ):
        return False
    return word[1:] not in table.common and not _is_stopped(text, start, table)


@functools.cache
def load_names() -> Names:
    """Return the table of names."""
    tables = tomllib.loads(TABLE.read_text("utf-8"))
    surnames, given = tables["surnames"], tables["given"]
    shapes = _shapes(surnames, given, tables["never"]["characters"])
    parts = tables["parts"] | shapes
    return Names(
        look=re.compile(shapes["look"]),
        told=compiled(shapes["told"], parts),
        cues=tuple((cue["id"], compiled(cue["pattern"], parts)) for cue in tables["cues"]),
        pairs=re.compile(f"[{surnames['plain']}][{given['characters']}]"),
        plain=frozenset(surnames["plain"]),
        given=frozenset(given["characters"]),
        compound=tuple(surnames["compound"]),
        stop=frozenset(tables["stop"]["words"].split()),
        common=frozenset(tables["stop"]["common"].split()),
        public=_any_of(tables["public"]["names"].split()),
        adverbs=frozenset(tables["adverbs"]["characters"]),
        tails=tables["tails"],
        title=re.compile(tables["parts"]["title"]),
    )


def _shapes(surnames: dict[str, Any], given: dict[str, str], never: str) -> dict[str, str]:
    """Return what names look like, as parts of the cues' patterns."""
    plain, weak = f"[{surnames['plain']}]", f"[{surnames['weak']}]"
    either = f"[{surnames['plain']}{surnames['weak']}]"
    compound = f"(?:{'|'.join(surnames['compound'])})"
    last, middle = f"[{given['characters']}]", f"[{given['characters']}{given['middle']}]"
    other = f"(?:(?![{never}])[{_HAN}])"
    firsts = "".join(dict.fromkeys(surname[0] for surname in surnames["compound"]))
    sure = f"(?:{compound}{middle}?{last}|{either}{middle}{last}|{plain}{last})"
    odd = f"(?:(?:{compound}|{plain}){other}{{1,2}}|{weak}(?:{last}{other}?|{other}{last}))"
    name = f"(?:{odd}(?:<close>|(?={_FOLLOW}))|{sure})"
    return {
        "sure": sure,
        "whole": f"(?:{compound}{last}{{1,2}}|{plain}{middle}{last})",
        "name": name,
        "fair": f"{weak}{last}",
        "loose": f"(?:{weak}{last}|{plain}{other})",
        # of uncommon characters but one, where a clause ends
        "fit": f"{plain}(?:{last}{other}|{other}{last})<close>",
        "own": f"(?:{name}|{last}{{2}}<close>)",
        "look": f"[{surnames['plain']}{surnames['weak']}{firsts}]"
        f"(?:(?<={plain}){middle}?{last}|(?<={weak}){middle}?{last}|(?<=[{firsts}])[{_HAN}](?<={compound}){last})",
        "told": "(?:叫|姓名|名字|真名|本名|全名|大名|实名|联系人|收件人|收货人|监护人|落款|署名)"
        "(?:就|也|是|叫|做|作|为|[:： ]){0,4}<own>",
    }


def _by_cue(plain: str, table: Names) -> Iterator[str]:
    for start, end in lines(plain):
        if not _may_hold_names(plain, start, end, table):
            continue
        for cue, pattern in table.cues:
            for match in pattern.finditer(plain, start, end):
                word = _checked(plain, *match.span("word"), cue, table)
                if word:
                    yield word


def _checked(plain: str, start: int, end: int, cue: str, table: Names) -> str:
    """Return the name at `start`, shortened where its last character begins another word, or nothing."""
    is_bare = cue in ("shape", "titled", "speaks", "beside", "repeated")
    if (is_bare and _is_tail(plain, start, table)) or plain[end : end + 1] == "·":
        return ""
    surname_chars = 2 if plain[start : start + 2] in table.compound else 1
    is_whole = end - start == surname_chars + 2
    if is_whole and _last_belongs_to_next(plain, end, table):
        if cue == "shape" or (plain[start] not in table.plain and plain[end - 1] not in table.adverbs):
            return ""
        if plain[start] in table.plain:
            end -= 1
            is_whole = False
    word = plain[start:end]
    is_word = word in table.common or (word[surname_chars:] in table.common and cue not in _SURE_CUES)
    if is_word or table.title.fullmatch(word, surname_chars) or _is_public(plain, start, end, table):
        return ""
    is_strong = is_whole and not is_bare
    if _is_stopped(plain, start, table) and not (is_strong and _outdoes_stop_word(word, table)):
        return ""
    return word


def _is_public(plain: str, start: int, end: int, table: Names) -> bool:
    """Return whether a public figure's name stands there, or around it."""
    for first in range(max(0, start - 2), start + 1):
        public = table.public.match(plain, first)
        if public is not None and public.end() >= end:
            return True
    return False


def _last_belongs_to_next(plain: str, end: int, table: Names) -> bool:
    if plain[end - 1 : end + 1] in table.common:
        return True
    is_open = end < len(plain) and is_han(plain[end]) and not table.title.match(plain, end)
    return is_open and plain[end - 1] in table.adverbs


def _outdoes_stop_word(word: str, table: Names) -> bool:  # 王子轩 is no 王子
    return word[0] in table.plain and table.given.issuperset(word[1:])


def _is_stopped(plain: str, start: int, table: Names) -> bool:
    return any(plain[start : start + chars] in table.stop for chars in _STOP_CHARS)


def _is_tail(plain: str, start: int, table: Names) -> bool:
    return start > 0 and plain[start - 1] in table.tails.get(plain[start], "")


def _by_repetition(plain: str, table: Names) -> Iterator[str]:
    """Yield names of two characters that stand free at least twice, beside different neighbours."""
    beside: dict[str, set[str]] = {}
    for match in table.pairs.finditer(plain):
        word = _checked(plain, *match.span(), "repeated", table)
        before, after = plain[match.start() - 1 : match.start()], plain[match.end() : match.end() + 1]
        if word and _stands_free(before, _BEFORE) and _stands_free(after, _AFTER):
            beside.setdefault(word, set()).add(after)
    return (word for word, neighbours in beside.items() if len(neighbours) >= _LEAST_REPEATS)


def _stands_free(neighbour: str, may_be: re.Pattern[str]) -> bool:
    return not neighbour or not is_han(neighbour) or may_be.match(neighbour) is not None


def _given_alone(found: set[str], table: Names) -> set[str]:
    """Return the given names of two characters of the full names: friends leave the surname out."""
    alone = {word[1:] for word in found if len(word) == 3 and word[0] in table.plain}
    return {word for word in alone if table.given.issuperset(word) and word not in table.common}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(words, key=len, reverse=True)))
