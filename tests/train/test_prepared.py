"""Rows are made once for a key."""

import numpy as np
import pytest

from psyllm.lm.pack import Rows
from psyllm.train.prepared import drop_prepared, prepared


def some(value=1, count=3):
    array = np.full((count, 4), value, dtype=np.int32)
    return Rows(array, array + 1, array + 2)


def test_the_same_key_reads_what_was_made_and_another_makes_anew(tmp_path):
    made = []

    def make():
        made.append(1)
        return some(len(made))

    first = prepared(tmp_path, "answer-train", {"length": 4, "corpus": "a"}, make)
    again = prepared(tmp_path, "answer-train", {"corpus": "a", "length": 4}, make)
    assert len(made) == 1
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    for key in ({"length": 5, "corpus": "a"}, {"length": 4, "corpus": "b"}):
        prepared(tmp_path, "answer-train", key, make)
    prepared(tmp_path, "answer-dev", {"length": 4, "corpus": "a"}, make)
    assert len(made) == 4


@pytest.mark.parametrize("count", [0, 1, 50])
def test_rows_come_back_as_they_were(count, tmp_path):
    rows = prepared(tmp_path, "adapt-dev", {}, lambda: some(7, count))
    assert all(np.array_equal(one, other) for one, other in zip(rows, some(7, count), strict=True))
    assert rows.take(range(count)).ids.dtype == np.int32
    assert rows.sample(2, 1).ids.shape[1] == 4


def test_what_broke_off_half_way_is_made_again(tmp_path):
    class Stopped(Exception):
        pass

    half = tmp_path / "rows"

    def fail():
        raise Stopped

    with pytest.raises(Stopped):
        prepared(tmp_path, "adapt-train", {}, fail)
    assert not half.exists() or not any(half.iterdir())
    prepared(tmp_path, "adapt-train", {}, some)
    (folder,) = half.iterdir()
    folder.rename(folder.with_name(f".{folder.name}.new"))  # as a process leaves it that dies while it writes
    (half / f".{folder.name}.new" / "ids.npy").write_bytes(b"torn")
    assert prepared(tmp_path, "adapt-train", {}, some).ids[0, 0] == 1


def test_nothing_of_them_stays(tmp_path):
    prepared(tmp_path, "adapt-train", {}, some)
    drop_prepared(tmp_path)
    assert not any(tmp_path.iterdir())
