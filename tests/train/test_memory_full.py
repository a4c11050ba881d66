"""What is about memory, and which settings are named."""

import pytest
import torch

from psyllm.core.train_settings import PreferStage, TrainingStage
from psyllm.train.memory_full import is_about_memory, memory_full


def test_the_allocators_own_words_are_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 56, dtype=torch.uint8)
    assert is_about_memory(caught.value)
    assert is_about_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert is_about_memory(MemoryError())
    assert is_about_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"))
    assert not is_about_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_about_memory(ValueError("out of memory"))


@pytest.mark.parametrize(
    ("rows", "at_once", "smaller"), [(8, 0, 4), (8, 4, 2), (12, 3, 1), (9, 9, 3), (7, 7, 1)]
)
def test_half_as_many_rows_at_once_are_named_where_they_divide_a_step(rows, at_once, smaller):
    error = memory_full(
        "answer", TrainingStage(batch_rows=rows, rows_at_once=at_once), 512, checkpointing=False
    )
    assert f"{at_once or rows} rows of 512 tokens" in error.message
    assert f"train.answer.rows_at_once={smaller}" in error.next_step
    assert rows % smaller == 0
    assert "train.gradient_checkpointing=true" in error.next_step
    assert "train.answer.row_tokens=256" in error.next_step


@pytest.mark.parametrize(("may_adapt", "times"), [(True, 1), (False, 0)])
def test_an_adapter_is_named_only_where_a_base_is_trained_in_all_its_weights(may_adapt, times):
    error = memory_full("answer", TrainingStage(), 512, checkpointing=False, may_adapt=may_adapt)
    assert error.next_step.count("train.adapter.method=lora") == times


@pytest.mark.parametrize(
    ("rows", "at_once", "held", "smaller"),
    [(8, 0, 4, 2), (8, 2, 2, 1), (12, 0, 6, 3), (6, 0, 3, 1), (2, 0, 1, 0)],
)
def test_of_two_processes_each_holds_its_half_of_a_step(rows, at_once, held, smaller):
    stage = TrainingStage(batch_rows=rows, rows_at_once=at_once)
    error = memory_full("answer", stage, 512, checkpointing=False, processes=2)
    assert f"hold {held} rows of 512 tokens" in error.message
    assert (f"train.answer.rows_at_once={smaller} " in error.next_step) == bool(smaller)
    assert ("rows_at_once" in error.next_step) == bool(smaller)


def test_what_is_set_already_is_not_named():
    error = memory_full("adapt", TrainingStage(batch_rows=4, rows_at_once=1), 512, checkpointing=True)
    assert "rows_at_once" not in error.next_step
    assert "gradient_checkpointing" not in error.next_step


@pytest.mark.parametrize(
    ("fields", "smaller"),
    [
        ({"batch_rows": 8}, 4),
        ({"batch_rows": 8, "rows_at_once": 4}, 2),
        ({"batch_rows": 6, "rows_at_once": 3}, 2),
        ({"batch_rows": 4, "rows_at_once": 2, "method": "dpo"}, 1),
    ],
)
def test_preferring_is_told_only_what_it_has(fields, smaller):
    said = memory_full("prefer", PreferStage(**fields), 512, checkpointing=False).next_step
    assert f"train.prefer.rows_at_once={smaller} " in said
    assert "train.gradient_checkpointing=true" in said
    assert "train.model.context_tokens=256" in said
    assert "row_tokens" not in said
    assert "lora" not in said


def test_kto_is_never_told_to_compute_one_alone():
    said = memory_full("prefer", PreferStage(batch_rows=2), 512, checkpointing=False).next_step
    assert "rows_at_once" not in said
