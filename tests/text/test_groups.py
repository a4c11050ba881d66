from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.groups import Groups


def test_what_is_joined_through_others_is_one_group():
    groups = Groups(6)
    for left, right in ((4, 5), (1, 2), (5, 2)):
        groups.join(left, right)
    assert groups.all() == {0: [0], 1: [1, 2, 4, 5], 3: [3]}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12), st.randoms())
def test_the_order_of_the_pairs_changes_nothing(pairs, chance):
    first, second = Groups(10), Groups(10)
    for pair in pairs:
        first.join(*pair)
    chance.shuffle(pairs)
    for left, right in pairs:
        second.join(right, left)
    assert first.all() == second.all()
