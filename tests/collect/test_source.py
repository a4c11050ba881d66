import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect import source as source_module
from psyllm.collect.encodings import Decoding
from psyllm.collect.sites.authors import KEY_FILE_VARIABLE
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


@given(keys=st.lists(st.text("a#23", max_size=4), max_size=12))
def test_no_two_records_have_one_id(keys):
    source = Source("a", "MIT")
    said = [source.provenance(key) for key in keys]
    assert len({one["id"] for one in said}) == len(keys)
    assert [one["group"] for one in said] == [f"a:{key}" for key in keys]


def test_a_made_id_that_is_there_already_is_not_given_again():
    source = Source("dup", "MIT")
    ids = [source.provenance(key)["id"] for key in ("a", "a", "a#2", "a")]
    assert ids == ["dup:a", "dup:a#2", "dup:a#2#2", "dup:a#3"]


@pytest.mark.parametrize("key", ["王小明-13800138000", "欧阳锋", "a@example.org", "case/13800138000"])
def test_a_key_that_may_name_somebody_is_hashed_and_counted(key):
    source = Source("clinic", "MIT", inside="folder/")
    said = [source.provenance(key) for _ in range(2)]
    hashed = f"clinic:folder/{source.key_of(key.encode())}"
    assert [one["id"] for one in said] == [hashed, f"{hashed}#2"]
    assert {one["group"] for one in said} == {hashed}
    assert source.keys_hashed == 2


@pytest.mark.parametrize(
    "key", ["0001", "zhihu/question-12345678", "part-00000", "a/b_c.d", "0a1b2c3d4e5f6789"]
)
def test_a_technical_key_stays(key):
    source = Source("a", "MIT")
    assert source.without_person(key) == key
    assert source.without_person(f"{key}/") == f"{key}/"


def test_a_hashed_key_is_turned_back_by_nobody_without_the_key_of_authors(tmp_path, monkeypatch):
    def key(name):
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / name))
        return Source("a", "MIT", data=tmp_path / "data").without_person("13800138000")

    first = key("one.key")
    assert first != hashlib.sha256(b"13800138000").hexdigest()[:16]
    assert key("other.key") != first
    assert key("one.key") == first


def test_the_file_in_which_a_key_stands_is_hashed_too():
    source = Source("clinic", "MIT", inside="王小明.csv/")
    assert source.provenance("7")["id"] == f"clinic:{source.key_of('王小明.csv'.encode())}/7"
    assert source.keys_hashed == 1


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
