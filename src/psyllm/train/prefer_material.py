"""From rated answers to what the stage `prefer` learns from.

In: the rated answers of a corpus, settings, a tokenizer. Out: examples in the
model's tokens, in batches whose members stay together. The template alone turns
words into tokens, as in training and serving. KTO takes each answer with its
thumb; beside each it takes another answer of the batch, to see how far the model
has moved on words that don't belong to the prompt. DPO takes pairs of one person.
Nothing here knows a model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from psyllm.core.errors import BadSetting, EmptyCorpus
from psyllm.core.rated_answers import RatedAnswer, rated_prefix, read_rated
from psyllm.core.train_settings import PreferStage
from psyllm.lm.template import NOT_LEARNT, Encoder, encode_prompt, encode_training, record_messages

Method: TypeAlias = Literal["kto", "dpo"]
OF_EACH_KIND = 5  # `fewest_ratings` divided by this are needed of good and of bad ones
UNCUT = 1 << 30  # tokens: more than any answer has
# A longer answer would leave its prompt too little room to be answered by it.
MOST_ANSWER_SHARE = 0.9
# Where one kind is rare its ratings weigh more, but no single one more than so many of the other: a guess by hand.
MOST_WEIGHT = 8.0


class Ratings(NamedTuple):
    """The rated answers to learn from and to choose a checkpoint by; `above_most` of one person are left out."""

    train: list[RatedAnswer]
    dev: list[RatedAnswer]
    method: Method
    above_most: int


class Rated(NamedTuple):
    """One answer in tokens, with its thumb."""

    prompt: list[int]
    answer: list[int]
    desirable: bool
    again: Callable[[int], list[int]] | None = None  # lays the prompt out within so many tokens

    def prompt_within(self, room_tokens: int) -> list[int]:
        """Return the prompt in at most so many tokens, its newest turns where not all fit."""
        if len(self.prompt) <= room_tokens:
            return self.prompt
        return self.again(room_tokens) if self.again else self.prompt[len(self.prompt) - room_tokens :]


class Pair(NamedTuple):
    """Two answers to one prompt in tokens, the better one first."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def check_prefer(settings: PreferStage) -> None:
    """Refuse settings with which nothing could be learnt.

    Raises:
        BadSetting: rows computed at once do not fit, or belong to the other method.
    """
    if not settings.steps:
        return
    at_once = settings.rows_at_once or settings.batch_rows
    if settings.batch_rows % at_once:
        message = f"train.prefer.rows_at_once={at_once} does not divide train.prefer.batch_rows={settings.batch_rows}"
        raise BadSetting(message, "set train.prefer.rows_at_once to a divisor of batch_rows, or 0")
    if settings.method != "dpo" and at_once < 2:
        message = "kto compares answers that are computed at once, and there is one of them"
        raise BadSetting(message, "set train.prefer.batch_rows and train.prefer.rows_at_once to 2 or more")
    if settings.method == "kto" and (settings.sft_weight or settings.label_noise):
        message = (
            "train.prefer.sft_weight and train.prefer.label_noise are dpo's, and train.prefer.method is kto"
        )
        raise BadSetting(message, "leave both at 0, or set train.prefer.method=dpo where ratings are paired")


def read_ratings(corpus: Path, settings: PreferStage) -> Ratings:
    """Return what may be learnt from, before time is spent on anything else.

    Raises:
        EmptyCorpus: too few answers are rated, or by too few people, or all one way.
        BadSetting: pairs are asked for where there are none.
    """
    everything = list(read_rated(corpus, prefix=rated_prefix("train")))
    train = _most_of_each(everything, settings.most_of_a_rater)
    _need_enough(train, settings, corpus)
    dev = sorted(read_rated(corpus, prefix=rated_prefix("dev")), key=_order)[: settings.most_dev_ratings]
    return Ratings(train, dev, choose_method(train, settings), len(everything) - len(train))


def _most_of_each(rows: Iterable[RatedAnswer], most: int) -> list[RatedAnswer]:
    """Return at most so many rows of each rater, which ones their hashes say."""
    taken: Counter[str] = Counter()
    kept = []
    for row in sorted(rows, key=_order):
        taken[row.rater] += 1
        if taken[row.rater] <= most:
            kept.append(row)
    return kept


def _order(row: RatedAnswer) -> tuple[str, str]:
    return row.rating, row.record.id


def _need_enough(rows: Sequence[RatedAnswer], settings: PreferStage, corpus: Path) -> None:
    good = sum(row.desirable for row in rows)
    raters = len({row.rater for row in rows})
    of_each = fewest_of_each(settings)
    if (
        len(rows) >= settings.fewest_ratings
        and min(good, len(rows) - good) >= of_each
        and raters >= settings.fewest_raters
    ):
        return
    message = (
        f"{corpus} holds {len(rows)} rated answers to learn from, {good} good and {len(rows) - good} bad ones, "
        f"by {raters} people; prefer needs {settings.fewest_ratings}, {of_each} of each kind, by {settings.fewest_raters}"
    )
    raise EmptyCorpus(
        message,
        "let more visitors rate, then run: psyllm feedback; psyllm clean; psyllm corpus; or leave the stage out: "
        "--set train.prefer.steps=0; where fewer will do: --set train.prefer.fewest_ratings=N",
    )


def fewest_of_each(settings: PreferStage) -> int:
    """Return how many good and how many bad ratings, or pairs, are needed."""
    return max(1, settings.fewest_ratings // OF_EACH_KIND)


def need_enough_that_fit(
    train: Sequence[Rated] | Sequence[Pair], rated: int, context: int, settings: PreferStage
) -> None:
    """Refuse to learn from a rest: an answer that the context does not hold is learnt in no part.

    Raises:
        EmptyCorpus: too few of `rated` answers fit, or of one kind.
    """
    good = sum(isinstance(example, Pair) or example.desirable for example in train)
    bad = sum(isinstance(example, Pair) or not example.desirable for example in train)
    is_paired = bool(train) and isinstance(train[0], Pair)
    if min(good, bad) >= fewest_of_each(settings) and (is_paired or len(train) >= settings.fewest_ratings):
        return
    message = f"of {rated} rated answers only {len(train)} fit into a context of {context} tokens with their prompts"
    raise EmptyCorpus(
        message, "take a base with a longer context, or leave the stage out: --set train.prefer.steps=0"
    )


def pairs_of(rows: Sequence[RatedAnswer]) -> list[tuple[RatedAnswer, RatedAnswer]]:
    """Return (better, worse) answers to one prompt that one person rated, in a fixed order."""
    by_prompt: dict[tuple[str, str], list[RatedAnswer]] = defaultdict(list)
    for row in rows:
        by_prompt[row.prompt, row.rater].append(row)
    found = []
    for _, answers in sorted(by_prompt.items()):
        better = [row for row in answers if row.desirable]
        worse = [row for row in answers if not row.desirable]
        found += list(product(better, worse))
    return found


def choose_method(rows: Sequence[RatedAnswer], settings: PreferStage) -> Method:
    """Return how to learn from these ratings.

    Raises:
        BadSetting: what is asked for does not go with them.
    """
    pairs = pairs_of(rows)
    in_pairs = {row.rating for pair in pairs for row in pair}
    if settings.method == "dpo" and not pairs:
        message = f"none of {len(rows)} rated answers stand in pairs: nobody rated two answers to one prompt differently"
        raise BadSetting(message, "set train.prefer.method=kto, which takes each rating by itself")
    if settings.method == "kto":
        return "kto"
    if settings.method == "dpo" or (len(in_pairs) * 2 > len(rows) and len(pairs) >= settings.batch_rows):
        return "dpo"
    if settings.sft_weight or settings.label_noise:
        message = (
            "train.prefer.sft_weight and train.prefer.label_noise are dpo's, and these ratings are unpaired"
        )
        raise BadSetting(message, "leave both at 0")
    return "kto"


def encode_rated(tokenizer: Encoder, row: RatedAnswer, context: int) -> Rated | None:
    """Return an answer in tokens as the template lays it out; None where it leaves its prompt no room."""
    (messages,) = record_messages(row.record)
    asked = max(place for place, message in enumerate(messages[:-1]) if message.role == "visitor")
    answer = _learnt(encode_training(tokenizer, messages[asked:], UNCUT)[-1])
    if len(answer) > context * MOST_ANSWER_SHARE:
        return None
    again = partial(encode_prompt, tokenizer, messages[:-1])
    return Rated(again(context - len(answer)), answer, row.desirable, again)


def _learnt(example: tuple[list[int], list[int]]) -> list[int]:
    """Return the last run of tokens that training learns: the answer with its end."""
    ids, labels = example
    places = [place for place, label in enumerate(labels) if label != NOT_LEARNT]
    start = places[-1]
    while start > 0 and labels[start - 1] != NOT_LEARNT:
        start -= 1
    return ids[start : places[-1] + 1]


def encode_all(tokenizer: Encoder, rows: Sequence[RatedAnswer], context: int) -> list[Rated]:
    """Return the answers in tokens, without those that are too long."""
    return [example for row in rows if (example := encode_rated(tokenizer, row, context)) is not None]


def encode_pairs(tokenizer: Encoder, rows: Sequence[RatedAnswer], context: int) -> list[Pair]:
    """Return the pairs in tokens; both answers follow the prompt that leaves room for the longer one."""
    found = []
    for better, worse in pairs_of(rows):
        both = [encode_rated(tokenizer, row, context) for row in (better, worse)]
        chosen, rejected = both
        if chosen is not None and rejected is not None:
            prompt = min(chosen.prompt, rejected.prompt, key=len)
            found.append(Pair(prompt, chosen.answer, rejected.answer))
    return found


def batches_of(count: int, size: int, seed: int) -> list[list[int]]:
    """Return places 0 to count - 1 in batches of just `size`, shuffled by the seed; the last is filled up.

    Members of a batch stay together in all epochs: KTO compares each answer with its neighbour's.
    """
    order = np.random.default_rng([seed, count]).permutation(count).tolist()
    filled = [order[place % count] for place in range(-(-count // size) * size)]
    return [filled[start : start + size] for start in range(0, len(filled), size)]


def in_steps(batches: Sequence[Sequence[int]], wanted: int, seed: int) -> Iterator[int]:
    """Yield the places of so many batches: epoch after epoch, each shuffled by seed and number."""
    for number in range(wanted):
        epoch, place = divmod(number, len(batches))
        if place == 0:
            shuffled = np.random.default_rng([seed, epoch]).permutation(len(batches)).tolist()
        yield from batches[shuffled[place]]


def dev_batches(count: int, size: int) -> list[list[int]]:
    """Return places in order in batches of about `size`, none of which has one member only."""
    batches = [list(range(start, min(start + size, count))) for start in range(0, count, size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        alone = batches.pop()
        batches[-1] += alone
    return batches


def weights_of(good: int, bad: int) -> tuple[float, float]:
    """Return what a good and a bad rating weigh, so that both kinds weigh the same together.

    Eq. 8 of the KTO paper (arXiv 2402.01306) allows the good ones up to a third more; they get as much.
    """
    if good > bad:
        return 1.0, min(good / max(bad, 1), MOST_WEIGHT)
    return min(bad / max(good, 1), MOST_WEIGHT), 1.0
