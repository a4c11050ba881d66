from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect import source as source_module
from psyllm.collect.encodings import Decoding
from psyllm.collect.source import Keys, Source


@given(keys=st.lists(st.text(max_size=2)), few=st.integers(0, 5))
def test_keys_are_counted_as_a_counter_counts_them(keys, few):
    before = source_module.FEWEST_RECENT
    source_module.FEWEST_RECENT = few
    try:
        found, expected = Keys(), Counter()
        for key in keys:
            expected[key] += 1
            assert found.times(key) == expected[key]
    finally:
        source_module.FEWEST_RECENT = before


def test_a_key_that_comes_again_keeps_its_group_and_gets_an_id_of_its_own():
    source = Source("a", "MIT")
    said = [source.provenance(key) for key in ("1", "2", "1", "1")]
    assert [one["id"] for one in said] == ["a:1", "a:2", "a:1#2", "a:1#3"]
    assert [one["group"] for one in said] == ["a:1", "a:2", "a:1", "a:1"]


def test_the_same_key_in_two_files_of_an_archive_is_two_keys():
    source = Source("a", "MIT")
    ids = []
    for source.inside in ("x/", "y/"):
        ids.append(source.provenance("1")["id"])
    assert ids == ["a:x/1", "a:y/1"]


def test_what_is_read_is_counted_as_it_is_taken():
    source = Source("a", "MIT")
    inputs = source.each("abc")
    assert [next(inputs), source.read] == ["a", 1]
    assert [*inputs, source.read] == ["b", "c", 3]


def test_damage_is_left_out_only_where_that_is_said():
    strict, lenient = Source("a", "MIT"), Source("a", "MIT", decoding=Decoding(damaged="leave_out"))
    assert not strict.is_damaged("a\ufffd")
    assert lenient.is_damaged("a\ufffd")
    assert not lenient.is_damaged("a")
    assert lenient.left_out == {"damaged_text": 1}
