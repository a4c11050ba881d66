"""How far two texts are about the same thing, for one writer as for the other.

Texts come in as first sentence, rest and keywords; out comes for each text held
how well it agrees with a query: the angle between their concepts, rare ones
before common ones, times what argues against it (another role, a particular
matter that only one of the two names, nothing named by both). What no concept
covers counts against a text as a matter of its own. No words are compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from psyllm.text.concepts import Concepts, Reading
from psyllm.text.han import han_count

Floats = npt.NDArray[np.float32]

# The weights were chosen by reading matches of 180 openings; bench/nearest.py shows their effect.
_DETAILS_WEIGHT = 0.4
_MOST_WEIGHT = 1.2
_NEAR_WEIGHT = 0.35
# So much shared weight is a matter of both; a feeling or a person alone is less.
_ENOUGH_SHARED = 0.8
_UNSEEN = 0.35
_OWN_MATTER = 0.5
_UNCOVERED = 0.5
_OTHER_ROLE = 0.6
_SAME_ROLE = 1.1
_MISSED_PARTICULAR = 0.6
_NOTHING_SHARED = 0.7


class Passage(NamedTuple):
    """A text in parts: the first sentence or title names the matter, the rest tells it."""

    lead: str
    rest: str
    keywords: tuple[str, ...] = ()


class Subject(NamedTuple):
    """What one text is about; `own` counts keywords that no concept covers, `uncovered` is a share."""

    weights: Floats
    particular: npt.NDArray[np.bool_]
    roles: frozenset[str]
    own: int
    uncovered: float


class Subjects:
    """The subjects of texts that never change, ready to be compared with a query's."""

    def __init__(self, concepts: Concepts, passages: Sequence[Passage]) -> None:
        self._concepts = concepts
        self._names = tuple(concepts.by_id)
        self._places = {name: place for place, name in enumerate(self._names)}
        subjects = [self.read(passage) for passage in passages]
        width = len(self._names)
        self._held = np.array([subject.weights for subject in subjects], np.float32).reshape(-1, width)
        self._particular = np.array([subject.particular for subject in subjects], bool).reshape(-1, width)
        speakers = dict.fromkeys(subject.roles for subject in subjects)
        order = {roles: place for place, roles in enumerate(speakers)}
        self._speakers = tuple(speakers)
        self._speaker_of = np.array([order[subject.roles] for subject in subjects], np.intp)
        self._weigh([subject.own for subject in subjects])

    def read(self, passage: Passage) -> Subject:
        """Return what a passage is about."""
        first, second = self._concepts.read(passage.lead), self._concepts.read(passage.rest)
        told = [word for word in passage.keywords if word not in self._concepts.topics]
        keywords = [self._concepts.read_keyword(word) for word in told]
        leading = set(chain(_names(first), *keywords))
        weights = np.zeros(len(self._names), np.float32)
        for names, weight in ((leading, 1.0), (_names(second), _DETAILS_WEIGHT)):
            for name in names:
                weights[self._places[name]] += weight
        particular = np.zeros(len(self._names), bool)
        for name in leading:
            particular[self._places[name]] = self._concepts.by_id[name].particular
        return Subject(
            weights=np.minimum(weights, _MOST_WEIGHT),
            particular=particular,
            roles=self._concepts.speaker(first, *map(self._concepts.read, passage.keywords), second),
            own=sum(not names for names in keywords),
            uncovered=self._uncovered(passage.lead, first),
        )

    def agreement(self, subject: Subject) -> tuple[Floats, Floats]:
        """Return two arrays over the texts: the agreement, 0 to 1, and the factor for what argues against."""
        asked = self._spread_out(subject.weights)
        length = math.hypot(float(np.linalg.norm(asked)), _UNSEEN + _UNCOVERED * subject.uncovered)
        shared = np.minimum(asked, self._weighed).sum(axis=1)
        angles = self._directions @ asked / np.float32(length)
        return angles * np.minimum(shared / _ENOUGH_SHARED, 1), self._against(subject)

    def shared(self, subject: Subject, number: int) -> tuple[str, ...]:
        """Return the concepts that the query and one text both name, the weightiest first."""
        both = np.minimum(subject.weights, self._held[number]) * self._concept_weight
        return tuple(self._names[place] for place in np.argsort(-both, kind="stable") if both[place] > 0)

    def _weigh(self, own: Sequence[int]) -> None:
        kinds = np.array([concept.weight for concept in self._concepts.by_id.values()], np.float32)
        # Between 0.5 for a concept of every text and 1 for that of a single one.
        rarity = 1 - 0.5 * np.log1p((self._held > 0).sum(axis=0)) / math.log1p(max(len(own), 1))
        self._concept_weight = (kinds * rarity).astype(np.float32)
        self._spread = np.eye(len(self._names), dtype=np.float32)
        for name, concept in self._concepts.by_id.items():
            for near in concept.near:
                self._spread[self._places[name], self._places[near]] = _NEAR_WEIGHT
                self._spread[self._places[near], self._places[name]] = _NEAR_WEIGHT
        self._weighed = self._spread_out(self._held)
        besides = _UNSEEN**2 + _OWN_MATTER**2 * np.array(own, np.float32)
        self._directions = self._weighed / np.sqrt((self._weighed**2).sum(axis=1) + besides)[:, None]

    def _spread_out(self, weights: Floats) -> Floats:
        spread: Floats = weights * self._concept_weight @ self._spread
        return spread

    def _against(self, subject: Subject) -> Floats:
        speakers = np.array(
            [self._speaker_factor(subject.roles, other) for other in self._speakers], np.float32
        )
        factors: Floats = speakers[self._speaker_of] if len(speakers) else np.ones(0, np.float32)
        named = subject.weights > 0
        unnamed = (self._particular & ~named).any(axis=1)
        unanswered = (self._held[:, subject.particular] == 0).any(axis=1)
        factors = np.where(unnamed | unanswered, factors * _MISSED_PARTICULAR, factors)
        return np.where((self._held[:, named] > 0).any(axis=1), factors, factors * _NOTHING_SHARED)

    def _speaker_factor(self, one: frozenset[str], other: frozenset[str]) -> float:
        if self._concepts.clash(one, other):
            return _OTHER_ROLE
        return _SAME_ROLE if one & other else 1.0

    def _uncovered(self, lead: str, reading: Reading) -> float:
        """Return the share of a first sentence, 0 to 1, that no concept accounts for."""
        covered = {at for place in reading.found for at in range(place.start, place.end)}
        telling = han_count(self._concepts.without_stop_phrases(lead))
        return max(0.0, 1 - len(covered) / telling) if telling else 0.0


def _names(reading: Reading) -> Iterable[str]:
    return {place.id for place in reading.found}
