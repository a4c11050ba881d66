"""The nearest of a few thousand texts, in memory: by what they are about first, by words second.

Entries come in once; a query then gives the keys of the nearest with a score
and the concepts shared. What texts are about is told twice, by a table of
concepts (subjects.py) and by learnt vectors (meaning.py): where one is right by
accident, the other seldom is. Words (BM25 over rjieba words and pairs of
characters, stop phrases and amounts blanked, title and keywords before details)
say which of several fits best. The score is a share, 0 to 1 (1 for the very
same text); FLOOR parts what is mostly near the topic from what mostly is not.
None of the three understands a sentence, and nothing is kept on disk.
"""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import bm25s
import numpy as np
import numpy.typing as npt
import rjieba

from psyllm.text.concepts import Concepts, load_concepts
from psyllm.text.han import HAN_CLASS
from psyllm.text.meaning import Floats, meaning_of, unit
from psyllm.text.subjects import Passage, Subjects

# Chosen by reading matches of real openings (off topic: one in six above it, three in five just below):
# a wrong answer to somebody in distress is worse than none. bench/nearest.py shows what it lets through.
FLOOR = 0.40

# Shares of one score. On 250 matches of 180 tuning openings judged by hand they part off topic from
# at least partly on topic best (area under the curve .86, without meaning .80); a regression gives the same.
_SUBJECT_SHARE, _MEANING_SHARE, _WORDS_SHARE = 0.45, 0.40, 0.15
# 99 of 100 pairs of an opening and a bundled question lie below: with no concept and no word shared, nothing.
_BY_CHANCE = 0.34
# An answer repeats the matter in a counsellor's words and says much besides.
_ANSWER_WEIGHT = np.float32(0.7)
# Words alone say something only when nearly all of them are there, and of more than
# this weight (about six rare words): fewer in common are an accident.
_SAMENESS_POWER = 3
_ENOUGH_WORDS = 30.0
# Only the very same text is wholly alike.
_MOST_ALIKE = 0.99
_TITLE_TIMES = 2
# Low saturation: a word named once already counts most of what it can.
_SATURATION = 0.6

_WORD = re.compile(rf"[0-9a-z{HAN_CLASS}]")
_HAN_RUN = re.compile(rf"[{HAN_CLASS}]{{2,}}")
_LEAD = re.compile(r"[^。！？!?\n]*[。！？!?\n]?")
_AMOUNT = re.compile(
    r"[0-9一二两三四五六七八九十百千万半几第]{1,12}[多来]?个?"
    r"(?:[年月天日点岁次块元斤分周号万千遍回人位名句度]|小时|分钟|星期|礼拜|钟头)+"
)


class Entry(NamedTuple):
    """A text to find under its key; without a title its first sentence serves as one.

    An answer only helps to tell what the text means; its words and concepts are not looked up.
    """

    key: str
    text: str
    title: str = ""
    keywords: tuple[str, ...] = ()
    answer: str = ""


class Match(NamedTuple):
    """A find; `score` is 0 to 1, `concepts` are the ids both texts name, the weightiest first."""

    key: str
    score: float
    concepts: tuple[str, ...] = ()


class _Words(NamedTuple):
    """For each entry, 0 to 1, how well a query's words rank it and how nearly it is the same text."""

    ranks: npt.NDArray[np.float32]
    sameness: npt.NDArray[np.float32]


class NearestTexts:
    """An index over entries that never change."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        # bm25s sets its own logger to DEBUG when imported and would talk into every log.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        self._concepts = load_concepts()
        passages = [_passage(entry) for entry in entries]
        tokens = [self._entry_tokens(passage) for passage in passages]
        # An entry without words can't be found, and bm25s divides by the mean length.
        kept = [number for number, words in enumerate(tokens) if words]
        self._keys = [entries[number].key for number in kept]
        self._numbers_of: defaultdict[str, list[int]] = defaultdict(list)
        for place, number in enumerate(kept):
            self._numbers_of[_whole(entries[number])].append(place)
        self._subjects = Subjects(self._concepts, [passages[number] for number in kept])
        meanings = [_meaning(passages[number], entries[number].answer) for number in kept]
        self._meanings = np.array(meanings, np.float32)
        holders: defaultdict[str, list[int]] = defaultdict(list)
        for place, number in enumerate(kept):
            for word in dict.fromkeys(tokens[number]):
                holders[word].append(place)
        self._holders = {word: np.array(places, np.intp) for word, places in holders.items()}
        self._weight = {word: _inverse_frequency(len(places), len(kept)) for word, places in holders.items()}
        self._unknown_weight = _inverse_frequency(0, len(kept))
        self._index: Any = None
        if kept:
            self._index = bm25s.BM25(k1=_SATURATION, method="lucene")
            self._index.index([tokens[number] for number in kept], show_progress=False)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, query: str, k: int = 1, exclude: Container[str] = ()) -> list[Match]:
        """Return at most `k` matches, best first, none with nothing in common."""
        if not self._keys:
            return []
        subject = self._subjects.read(_halves(query))
        agreement, against = self._subjects.agreement(subject)
        words = self._words_of(query)
        alike = np.maximum(self._meanings @ meaning_of(query), 0)
        fit = _SUBJECT_SHARE * agreement + _MEANING_SHARE * alike + _WORDS_SHARE * words.ranks
        fit[(agreement <= 0) & (words.ranks <= 0) & (alike < _BY_CHANCE)] = 0
        scores = np.minimum(np.maximum(fit * against, words.sameness), _MOST_ALIKE)
        scores[self._numbers_of.get(query.strip(), [])] = 1
        matches: list[Match] = []
        # A stable sort keeps the order of the entries where two score alike.
        for place in np.argsort(-scores, kind="stable"):
            number = int(place)
            if len(matches) == k or scores[number] <= 0:
                break
            if self._keys[number] not in exclude:
                shared = self._subjects.shared(subject, number)
                matches.append(Match(self._keys[number], float(scores[number]), shared))
        return matches

    def _words_of(self, query: str) -> _Words:
        words = list(dict.fromkeys(_tokens(query, self._concepts)))
        known = [word for word in words if word in self._weight]
        held = np.zeros(len(self._keys), np.float32)
        if not known:
            return _Words(held, held)
        for word in known:
            held[self._holders[word]] += self._weight[word]
        total = sum(self._weight.get(word, self._unknown_weight) for word in words)
        enough = min(1.0, total / _ENOUGH_WORDS)
        sameness: npt.NDArray[np.float32] = enough * (held / np.float32(total)) ** _SAMENESS_POWER
        ranks: npt.NDArray[np.float32] = self._index.get_scores(known)
        return _Words(np.clip(ranks / total, 0, 1), sameness)

    def _entry_tokens(self, passage: Passage) -> list[str]:
        lead = _tokens(" ".join((passage.lead, *passage.keywords)), self._concepts)
        return lead * _TITLE_TIMES + _tokens(passage.rest, self._concepts)


def _whole(entry: Entry) -> str:
    return f"{entry.title}\n{entry.text}".strip()


def _passage(entry: Entry) -> Passage:
    halves = Passage(entry.title, entry.text) if entry.title else _halves(entry.text)
    return halves._replace(keywords=entry.keywords)


def _meaning(passage: Passage, answer: str) -> Floats:
    whole = meaning_of(f"{passage.lead}\n{passage.rest}")
    named = meaning_of(" ".join((passage.lead, *passage.keywords)))
    return unit(whole + named + _ANSWER_WEIGHT * meaning_of(answer))


def _halves(text: str) -> Passage:
    """Return the first sentence, which names the matter, and the rest."""
    stripped = text.lstrip()
    match = _LEAD.match(stripped)
    end = match.end() if match else 0
    return Passage(stripped[:end], stripped[end:])


def _tokens(text: str, concepts: Concepts) -> list[str]:
    plain = _AMOUNT.sub(" ", concepts.without_stop_phrases(text.lower()))
    words = [word for word in rjieba.cut(plain) if len(word) > 1 and _WORD.search(word)]
    pairs = [run[at : at + 2] for run in _HAN_RUN.findall(plain) for at in range(len(run) - 1)]
    # A two-character word is a pair as well and counts twice, which is what we want of a word.
    return words + pairs


def _inverse_frequency(texts: int, of_all: int) -> float:
    return math.log(1 + (of_all - texts + 0.5) / (texts + 0.5))
