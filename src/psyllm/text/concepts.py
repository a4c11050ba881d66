"""What a text is about: the concepts of counselling life found in it, and who is speaking.

Text comes in; the concepts of `concepts.toml` that its surface patterns betray
come out, with where they stand, and the roles (pupil, parent, …) of whoever
wrote it. A table of phrases, no understanding: a denied or quoted matter counts
as named. What is done with a concept (ranking, labels) is left to others.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from psyllm.core.errors import MalformedInput
from psyllm.text.han import is_han

CONCEPTS = Path(__file__).parent / "concepts.toml"
KINDS = ("matter", "people", "feeling", "setting")

# A gap ends with its clause, so that two sentences never make one phrase.
_GAP = "[^，。！？；、\n,.!?;]{0,8}"
# Ages as people give their own; a child's age stands behind 孩子 or 儿子 and has no such words.
_AGE = re.compile(
    r"(?:^|我|今年|本人)(?:今年|是|是个|是一个|一个|一名|一位)?\s*([1-9][0-9])\s*(?:周?岁|了|，|,)|([1-9][0-9])岁的?[女男我]"
)
_AGE_ROLES = ((12, ""), (18, "pupil"), (23, "student"), (58, "adult"), (99, "elder"))


class Concept(NamedTuple):
    """One matter, feeling or setting; `weight` is 0 to 1, `near` are ids that count for a part."""

    id: str
    name: str
    weight: float
    near: tuple[str, ...]
    who: str
    particular: bool


class Found(NamedTuple):
    """A concept found in a text, with the place of its pattern in characters; `whole` is without a gap."""

    id: str
    start: int
    end: int
    whole: bool = True


class Reading(NamedTuple):
    """What a text holds: concepts in order of place, and the roles of its writer."""

    found: tuple[Found, ...]
    roles: frozenset[str]


class _Pattern(NamedTuple):
    head: str
    opens: bool
    rest: re.Pattern[str] | None
    owner: str


class Concepts:
    """The table, ready to read texts with."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self.by_id: dict[str, Concept] = {}
        self._clashes = {role: frozenset(row["clashes"].split()) for role, row in tables["roles"].items()}
        self._unless = {
            role: frozenset(row.get("unless", "").split()) for role, row in tables["roles"].items()
        }
        self._concept_patterns: defaultdict[str, list[_Pattern]] = defaultdict(list)
        self._tags: dict[str, list[str]] = {}
        self._role_patterns: defaultdict[str, list[_Pattern]] = defaultdict(list)
        for kind in KINDS:
            for name, row in tables[kind].items():
                if name in self.by_id:
                    raise _broken(name, "is used twice")
                self.by_id[name] = _concept(name, row, tables["weights"][kind])
                _add(self._concept_patterns, name, row["words"].split())
                self._tags[name] = row.get("tags", "").split()
        for role, row in tables["roles"].items():
            _add(self._role_patterns, role, row["words"].split())
        self.topics = frozenset(tables["topics"]["words"].split())
        self._quiet = _any_of(tables["quiet"]["words"].split())
        self._stop = _any_of(tables["stop"]["words"].split())
        self._check()

    def read(self, text: str) -> Reading:
        """Return the concepts that the text names and the roles it is written from."""
        lowered = text.lower()
        quiet = [match.span() for match in self._quiet.finditer(lowered)]
        scanned = _scan(lowered, self._concept_patterns)
        places = [place for place in scanned if not _quieted(place, quiet)]
        found = tuple(place for place in places if not self._outdone(place, places))
        roles = {place.id for place in _scan(lowered, self._role_patterns)}
        roles |= {self.by_id[place.id].who for place in found}
        roles.add(_role_of_age(lowered))
        return Reading(found, frozenset(roles - {""}))

    def read_keyword(self, keyword: str) -> tuple[str, ...]:
        """Return the ids of the concepts that a keyword stands for; more is said by a keyword than by a phrase."""
        tagged = [name for name, tags in self._tags.items() if keyword in tags]
        return tuple(dict.fromkeys([*(place.id for place in self.read(keyword).found), *tagged]))

    def speaker(self, *readings: Reading) -> frozenset[str]:
        """Return the roles of one writer, without those overruled; an earlier passage outweighs a later one."""
        roles: set[str] = set()
        for reading in readings:
            roles |= {
                role for role in reading.roles if not any(self._clash_of(role, other) for other in roles)
            }
        return frozenset(role for role in roles if not self._unless[role] & roles)

    def clash(self, one: frozenset[str], other: frozenset[str]) -> bool:
        """Return whether an answer written for one cannot well be meant for the other."""
        return any(self._clashes[role] & (other - one) for role in one - other)

    def _clash_of(self, one: str, other: str) -> bool:
        return other in self._clashes[one] or one in self._clashes[other]

    def without_stop_phrases(self, text: str) -> str:
        """Return the text with phrases that say nothing of the matter blanked out."""
        return self._stop.sub(" ", text)

    def _outdone(self, place: Found, places: list[Found]) -> bool:
        """Return whether a phrase no lighter holds this one: no friends is no matter of friends."""
        weight = self.by_id[place.id].weight
        longer = [
            (other.start, other.end)
            for other in places
            if other.whole and other.id != place.id and self.by_id[other.id].weight >= weight
        ]
        return _inside(place, longer)

    def _check(self) -> None:
        for concept in self.by_id.values():
            if unknown := [name for name in concept.near if name not in self.by_id]:
                raise _broken(concept.id, f"is near unknown {', '.join(unknown)}")
            if concept.who and concept.who not in self._clashes:
                raise _broken(concept.id, f"has the unknown role {concept.who}")
        for role, clashing in self._clashes.items():
            if unknown := sorted(clashing - self._clashes.keys()):
                raise _broken(role, f"clashes with unknown {', '.join(unknown)}")


@functools.cache
def load_concepts(path: Path = CONCEPTS) -> Concepts:
    """Return the table of concepts.

    Raises:
        MalformedInput: an id is used twice, or a row names an unknown concept or role.
    """
    return Concepts(tomllib.loads(path.read_text("utf-8")))


def _concept(name: str, row: dict[str, Any], weight: float) -> Concept:
    near = tuple(cast("str", row.get("near", "")).split())
    return Concept(name, row["name"], weight, near, row.get("who", ""), row.get("particular", False))


def _add(patterns: defaultdict[str, list[_Pattern]], owner: str, words: Iterable[str]) -> None:
    for word in words:
        head, gap, tail = word.lower().removeprefix("^").partition("…")
        rest = re.compile(_GAP + re.escape(tail)) if gap else None
        patterns[head[0]].append(_Pattern(head, word[0] == "^", rest, owner))


def _scan(text: str, patterns: defaultdict[str, list[_Pattern]]) -> Iterator[Found]:
    for start, character in enumerate(text):
        # `in` and no subscript: a defaultdict would grow with every character ever seen.
        if character not in patterns:
            continue
        for pattern in patterns[character]:
            if not text.startswith(pattern.head, start) or (pattern.opens and not _opens_clause(text, start)):
                continue
            end = start + len(pattern.head)
            if pattern.rest is None:
                yield Found(pattern.owner, start, end)
            elif match := pattern.rest.match(text, end):
                yield Found(pattern.owner, start, match.end(), whole=False)


def _opens_clause(text: str, at: int) -> bool:
    return at == 0 or not is_han(text[at - 1])


def _inside(place: Found, spans: list[tuple[int, int]]) -> bool:
    size = place.end - place.start
    return any(start <= place.start and place.end <= end and size < end - start for start, end in spans)


def _quieted(place: Found, spans: list[tuple[int, int]]) -> bool:
    """Return whether a place lies in a quiet phrase or opens in its midst, as 朋友不理 does in 男朋友不理."""
    return _inside(place, spans) or any(start < place.start < end for start, end in spans)


def _role_of_age(text: str) -> str:
    match = _AGE.search(text)
    if match is None:
        return ""
    age = int(match.group(1) or match.group(2))
    return next(role for most, role in _AGE_ROLES if age <= most)


def _any_of(phrases: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(phrases, key=len, reverse=True))))


def _broken(name: str, what: str) -> MalformedInput:
    return MalformedInput(f"the table of concepts is broken: {name} {what}", "correct concepts.toml")
