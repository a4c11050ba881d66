import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from psyllm.text import han_windows
from psyllm.text.han import han_only
from psyllm.text.han_windows import han_texts, han_texts_of_bytes, windows

some_texts = st.lists(st.text(alphabet="我你心〇a，\n 𠀀豈", max_size=12), max_size=6)


def runs(texts, n):
    return [[bare[at : at + n] for at in range(len(bare) - n + 1)] for bare in map(han_only, texts)]


@given(some_texts, st.integers(1, 5))
def test_there_is_one_hash_for_each_run_and_equal_runs_have_equal_hashes(texts, n):
    found = windows(han_texts(texts), n)
    expected = runs(texts, n)
    assert np.diff(found.borders).tolist() == [len(each) for each in expected]
    flat = [run for each in expected for run in each]
    pairs = set(zip(flat, found.hashes.tolist(), strict=True))
    assert len(pairs) == len(set(flat)) == len(set(found.hashes.tolist()))


@given(some_texts)
def test_bytes_of_a_column_give_what_strings_give(texts):
    encoded = [text.encode() for text in texts]
    borders = np.cumsum([0, *map(len, encoded)])
    from_bytes = windows(han_texts_of_bytes(b"".join(encoded), borders), 3)
    from_strings = windows(han_texts(texts), 3)
    assert from_bytes.hashes.tolist() == from_strings.hashes.tolist()
    assert from_bytes.borders.tolist() == from_strings.borders.tolist()


def test_a_run_has_the_same_hash_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(han_windows, "_PIECE_CHARS", 16)
    text = "".join(chr(0x4E00 + place % 97) for place in range(300))
    hashes = windows(han_texts([text]), 5).hashes.tolist()
    assert len(set(hashes)) == 97
    assert all(hashes[place] == hashes[place + 97] for place in range(300 - 97 - 4))
