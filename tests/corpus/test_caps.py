import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.errors import BadSetting
from psyllm.corpus.caps import above_cap, most_of_each


def test_a_cap_from_one_on_is_a_number_of_records():
    assert most_of_each({"a": 50, "b": 7}, {"a": 20}) == {"a": 20, "b": 7}
    assert most_of_each({"a": 50}, {"a": 80}) == {"a": 50}


def test_a_cap_below_one_is_the_share_of_what_is_taken():
    assert most_of_each({"a": 900, "b": 100}, {"a": 0.5}) == {"a": 100, "b": 100}
    assert most_of_each({"a": 10, "b": 100}, {"a": 0.5}) == {"a": 10, "b": 100}


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 500), min_size=2),
    st.dictionaries(st.sampled_from("abc"), st.floats(0.05, 0.95)),
)
def test_no_source_has_more_than_its_share(counts, caps):
    caps = {name: cap for name, cap in caps.items() if name in counts}
    try:
        most = most_of_each(counts, caps)
    except BadSetting:
        assert set(caps) == set(counts)
        return
    total = sum(most.values())
    assert all(most[name] <= cap * total for name, cap in caps.items())
    assert all(most[name] == counts[name] for name in counts if name not in caps)


def test_a_cap_of_no_source_and_caps_that_leave_nothing_are_refused():
    with pytest.raises(BadSetting, match="names 'smile'; there are: a"):
        most_of_each({"a": 5}, {"smile": 10})
    with pytest.raises(BadSetting, match=r"together 0\.5\), which leaves nothing"):
        most_of_each({"a": 500}, {"a": 0.5})


def test_the_same_records_are_taken_whatever_else_comes():
    ids = [f"a:{number}" for number in range(100)]
    left = {ids[place] for place in above_cap(ids, 40, seed=1)}
    assert len(left) == 60
    shuffled = list(reversed(ids))
    assert {shuffled[place] for place in above_cap(shuffled, 40, seed=1)} == left
    assert {ids[place] for place in above_cap(ids, 40, seed=2)} != left
    assert above_cap(ids, 100, seed=1) == []
