"""The file of the sample, and how items are named."""

import pytest

from psyllm.core.errors import MalformedInput
from psyllm.core.review_sample import (
    Sample,
    SampleItem,
    Stratum,
    item_name,
    read_sample,
    sample_path,
    write_sample,
)


def test_a_sample_is_read_as_it_was_written(tmp_path):
    strata = (Stratum(side="kept", source="a", kind="dialogue", level="risk", minor=True, population=3),)
    items = (
        SampleItem(run="cleaned-a", file="part-00000.parquet", row=2, id="a:1", words="w", stratum="kept/a"),
    )
    sample = Sample(run="cleaned-a", seed=1, strata=strata, items=items)
    assert read_sample(tmp_path) is None
    write_sample(tmp_path, sample)
    assert read_sample(tmp_path) == sample
    assert strata[0].key == "kept/a/dialogue/risk/minor"


def test_a_file_that_is_no_sample_is_told(tmp_path):
    path = sample_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("[]", "utf-8")
    with pytest.raises(MalformedInput):
        read_sample(tmp_path)


def test_other_words_of_a_record_are_another_item():
    names = {item_name("a:1", "x"), item_name("a:1", "y"), item_name("a:2", "x")}
    assert len(names) == 3
    assert all(len(name) == 64 for name in names)
