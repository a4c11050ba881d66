"""Every process computes its part of a step's rows, and all parts are the step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.errors import BadSetting
from psyllm.core.train_settings import Adapter, PreferStage, TrainingStage, TrainSettings
from psyllm.lm.pack import Rows
from psyllm.train.parts import Goes, Part, check_parts, check_sharing, goes, part_to_measure


@given(steps=st.integers(0, 5), part=st.integers(1, 5), count=st.integers(1, 4))
def test_the_parts_of_a_step_are_its_rows_in_order(steps, part, count):
    step_rows = part * count
    whole = list(range(steps * step_rows))
    parts = [Part(whole, step_rows, rank, count) for rank in range(count)]
    seen = [mine[step * part + place] for step in range(steps) for mine in parts for place in range(part)]
    assert seen == whole
    assert {len(mine) for mine in parts} == {steps * part}


def rows_of(count):
    ids = np.arange(count * 3, dtype=np.int32).reshape(count, 3)
    return Rows(ids, ids.copy(), ids.copy())


@given(rows=st.integers(0, 20), count=st.integers(1, 5))
def test_dev_rows_are_measured_once_each_and_by_all_equally_often(rows, count):
    whole = rows_of(rows)
    parts = [part_to_measure(whole, rank, count) for rank in range(count)]
    assert len({len(part.ids) for part in parts}) == 1
    learnt = [row for part in parts for row in part.labels.tolist() if row[0] >= 0]
    assert sorted(learnt) == whole.labels.tolist()


@pytest.mark.parametrize(
    ("batch", "at_once", "count", "expected"),
    [(8, 0, 1, Goes(8, 1)), (8, 0, 2, Goes(4, 1)), (8, 2, 2, Goes(2, 2)), (8, 4, 4, Goes(2, 1))],
)
def test_rows_at_once_are_those_of_one_process(batch, at_once, count, expected):
    assert goes(TrainingStage(batch_rows=batch, rows_at_once=at_once), count) == expected


def test_steps_that_do_not_come_out_even_are_refused():
    with pytest.raises(BadSetting, match="can't be shared equally by 3") as caught:
        check_parts([("answer", TrainingStage(batch_rows=4))], "ddp", 3)
    assert "train.answer.batch_rows" in caught.value.next_step
    with pytest.raises(BadSetting, match="rows_at_once=2 does not divide the 3 rows"):
        check_parts([("adapt", TrainingStage(batch_rows=6, rows_at_once=2))], "ddp", 2)
    check_parts([("adapt", TrainingStage(batch_rows=5, steps=0))], "ddp", 2)


def test_muon_is_not_given_shards():
    stages = [("adapt", TrainingStage(optimizer="muon"))]
    check_parts(stages, "ddp", 2)
    with pytest.raises(BadSetting, match="optimizer=muon turns whole matrices"):
        check_parts(stages, "fsdp", 2)


def test_what_only_one_process_can_do_is_refused_with_the_reason():
    settings = TrainSettings(processes="ddp", adapter=Adapter(method="lora"))
    check_sharing(settings, 2)
    check_sharing(TrainSettings(prefer=PreferStage(steps=5), compile="on"), 1)
    refused = [
        ({"processes": "fsdp"}, "adapter.method=lora keeps and merges the addition whole"),
        ({"prefer": PreferStage(steps=5)}, "train.prefer learns in one process"),
        ({"compile": "on"}, "train.compile=on compiles a model that nothing is wrapped around"),
    ]
    for changes, reason in refused:
        with pytest.raises(BadSetting, match=reason) as caught:
            check_sharing(settings.model_copy(update=changes), 2)
        assert "train." in caught.value.next_step
