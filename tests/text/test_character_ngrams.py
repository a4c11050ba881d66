from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.character_ngrams import Alphabet, CharacterNgrams


def slow_chance(text: list[int], before: list[int], symbol: int, alphabet: int, order: int) -> float:
    """The definition, written down once more and slowly."""
    chance = 1 / alphabet
    for length in range(order):
        context = before[len(before) - length :] if length else []
        if len(context) < length:
            break
        after = Counter(
            text[place + length]
            for place in range(len(text) - length)
            if text[place : place + length] == context
        )
        if not after:
            break
        chance = (after[symbol] + len(after) * chance) / (sum(after.values()) + len(after))
    return chance


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=40),
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_bits_are_those_of_the_definition(learnt: list[int], asked: list[int], order: int) -> None:
    model = CharacterNgrams(np.array(learnt), 4, order)
    bits = model.bits(np.array(asked))
    slow = [
        -np.log2(slow_chance(learnt, asked[:place], symbol, 4, order)) for place, symbol in enumerate(asked)
    ]
    assert bits == pytest.approx(slow)


def test_the_chances_of_all_symbols_after_a_context_add_up_to_one() -> None:
    alphabet = Alphabet(["我很难过", "我很累"])
    model = CharacterNgrams(alphabet.encode("我很难过我很累"), len(alphabet), 3)
    context = alphabet.encode("我很")
    chances = [2 ** -model.bits(np.append(context, symbol))[-1] for symbol in range(len(alphabet))]
    assert sum(chances) == pytest.approx(1)


def test_one_context_by_hand() -> None:
    # "aab": a follows a once, b follows a once; after a: seen 2, followers 2
    model = CharacterNgrams(np.array([1, 1, 2]), 3, 2)
    single = (1 + 2 * (1 / 3)) / (3 + 2)  # b among a, a, b
    assert 2 ** -model.bits(np.array([1, 2]))[1] == pytest.approx((1 + 2 * single) / (2 + 2))


def test_a_symbol_that_was_never_seen_still_has_a_chance() -> None:
    alphabet = Alphabet(["甲乙"])
    assert alphabet.encode("丙").tolist() == [0]
    bits = CharacterNgrams(alphabet.encode("甲乙甲"), len(alphabet), 2).bits(alphabet.encode("甲丙"))
    assert np.isfinite(bits).all()
    assert bits[1] > bits[0]
