import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text.known_hashes import KnownHashes

numbers = st.integers(0, 2**64 - 1)


@given(st.sets(st.one_of(numbers, st.integers(0, 9))), st.lists(st.one_of(numbers, st.integers(0, 9))))
def test_exactly_what_is_known_is_found_where_it_stands(known, others):
    ordered = np.array(sorted(known), dtype=np.uint64)
    wanted = np.array([*others, *sorted(known)[:5]], dtype=np.uint64)
    hashes = KnownHashes(ordered)
    indices, places = hashes.find(wanted)
    assert [int(wanted[index]) in known for index in range(len(wanted))] == hashes.holds(wanted).tolist()
    assert indices.tolist() == [i for i in range(len(wanted)) if int(wanted[i]) in known]
    assert ordered[places].tolist() == wanted[indices].tolist()


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_very_many_even_hashes_are_found(count):
    known = np.unique(np.random.default_rng(1).integers(0, 2**64, count, dtype=np.uint64))
    assert KnownHashes(known).holds(known).all()
