"""Rows hold every example once, whole, and nothing is learnt from a neighbour."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from psyllm.lm.pack import join, pack_blocks, pack_wrapped
from psyllm.lm.template import NOT_LEARNT, Example

PAD = 0
IDS = st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=16)
EXAMPLES = st.lists(
    IDS.map(lambda ids: Example(ids, [one if one % 2 else NOT_LEARNT for one in ids])),
    min_size=1,
    max_size=30,
)


def blocks(rows):
    """Read the examples back from the positions."""
    found = []
    for ids, labels, positions in zip(*rows, strict=True):
        starts = [*np.flatnonzero(positions == 0), len(ids)]
        for start, end in pairwise(starts):
            assert positions[start:end].tolist() == list(range(end - start))
            if ids[start] != PAD:
                found.append((tuple(ids[start:end].tolist()), tuple(labels[start:end].tolist())))
    return found


@given(EXAMPLES)
def test_every_example_stands_once_and_whole_and_its_first_token_is_not_learnt(examples):
    rows = pack_blocks(examples, 16, PAD)
    expected = Counter((tuple(one.ids), (NOT_LEARNT, *one.labels[1:])) for one in examples)
    found = Counter(blocks(rows))
    assert found <= expected
    # what stands nowhere had nothing to learn
    assert all(set(labels) == {NOT_LEARNT} for _, labels in expected - found)
    assert all(array.dtype == np.int32 and array.shape[1] == 16 for array in rows)
    assert rows.learnt_tokens == sum(label != NOT_LEARNT for one in examples for label in one.labels[1:])


@given(EXAMPLES, st.lists(IDS, max_size=20))
def test_something_is_learnt_of_every_row(examples, texts):
    for rows in (pack_blocks(examples, 16, PAD), pack_wrapped(texts, 8, PAD)):
        assert (rows.labels != NOT_LEARNT).any(axis=1).all()
        assert rows.ids.shape == rows.labels.shape == rows.positions.shape


def test_a_last_row_of_one_token_is_left_out():
    assert [len(pack_wrapped([list(range(1, count + 1))], 32, PAD).ids) for count in (1, 64, 65, 66)] == [
        0,
        2,
        2,
        3,
    ]


@given(EXAMPLES)
def test_no_two_rows_would_fit_in_one(examples):
    rows = pack_blocks(examples, 16, PAD)
    used = sorted((ids != PAD).sum() for ids in rows.ids)
    if len(used) > 1:
        assert used[0] + used[1] > 16


def test_the_best_fit_is_taken():
    lengths = (10, 9, 6, 7)
    rows = pack_blocks([Example([n] * n, [n] * n) for n in lengths], 16, PAD)
    assert [sorted(set(ids.tolist())) for ids in rows.ids] == [[6, 10], [7, 9]]


@given(st.lists(IDS, max_size=20))
def test_wrapped_rows_hold_the_chain_and_learn_all_but_each_first(texts):
    rows = pack_wrapped(texts, 8, PAD)
    chain = [token for text in texts for token in text]
    chain = chain[: len(chain) - (len(chain) % 8 == 1)]  # one token in a row of its own is not learnt
    assert rows.ids.reshape(-1)[: len(chain)].tolist() == chain
    assert (rows.ids.reshape(-1)[len(chain) :] == PAD).all()
    assert rows.learnt_tokens == len(chain) - len(rows.ids)
    assert len(rows.ids) == -(-len(chain) // 8)


def test_rows_can_be_joined_taken_and_sampled():
    rows = pack_wrapped([list(range(1, 81))], 8, PAD)
    both = join(rows, rows)
    assert len(both.ids) == 20
    assert both.take([0, 10]).ids.tolist() == [list(range(1, 9))] * 2
    some = both.sample(5, seed=1)
    assert len(some.ids) == 5
    assert some.ids.tolist() == both.sample(5, seed=1).ids.tolist()
    assert some.ids.tolist() != both.sample(5, seed=2).ids.tolist()
    assert both.sample(50, seed=1) is both
