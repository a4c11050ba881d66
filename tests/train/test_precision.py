"""What each card computes in, and what it is refused before time is spent."""

from typing import get_args

import pytest
import torch

from psyllm.core.errors import BadSetting, LossNotFinite
from psyllm.core.settings import TrainSettings
from psyllm.lm import export
from psyllm.lm.number_types import TYPES
from psyllm.train import loop, precision
from psyllm.train.precision import Card, check_scale, choose_precision, scaler_for

H200 = Card("NVIDIA H200", (9, 0))
A100 = Card("NVIDIA A100", (8, 0))
RTX_3060 = Card("NVIDIA GeForce RTX 3060", (8, 6))
V100 = Card("Tesla V100-SXM2-16GB", (7, 0))
T4 = Card("Tesla T4", (7, 5))
GTX_1080 = Card("NVIDIA GeForce GTX 1080", (6, 1))
MI300 = Card("AMD Instinct MI300X", (9, 4), is_amd=True)
MI250 = Card("AMD Instinct MI250", (9, 0), is_amd=True)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (H200, "bf16"),
        (A100, "bf16"),
        (RTX_3060, "bf16"),
        (V100, "fp16"),
        (T4, "fp16"),
        (GTX_1080, "fp32"),
        (MI300, "bf16"),
        (MI250, "bf16"),
    ],
)
def test_the_card_decides_what_is_automatic(card, expected):
    for processor_has_bf16 in (True, False):
        assert choose_precision("auto", card, processor_has_bf16=processor_has_bf16) == expected


def test_without_a_card_the_processor_decides():
    assert choose_precision("auto", None, processor_has_bf16=True) == "bf16"
    assert choose_precision("auto", None, processor_has_bf16=False) == "fp32"


@pytest.mark.parametrize("card", [V100, T4, GTX_1080])
def test_bf16_on_a_card_without_it_is_refused_with_what_to_set(card):
    with pytest.raises(BadSetting, match="has no bf16") as caught:
        choose_precision("bf16", card, processor_has_bf16=True)
    assert card.name in caught.value.message
    assert "train.precision=fp16" in caught.value.next_step


def test_fp16_without_a_card_is_refused():
    with pytest.raises(BadSetting, match="no card"):
        choose_precision("fp16", None, processor_has_bf16=True)


@pytest.mark.parametrize("card", [V100, A100, GTX_1080])
@pytest.mark.parametrize("asked", ["fp32", "fp16"])
def test_what_a_card_can_is_given(card, asked):
    assert choose_precision(asked, card, processor_has_bf16=False) == asked


def test_only_fp16_has_a_scaler():
    assert scaler_for("fp32", "cpu") is None
    assert scaler_for("bf16", "cpu") is None
    assert isinstance(scaler_for("fp16", "cpu"), torch.amp.GradScaler)


def test_a_scale_below_one_ends_the_run():
    check_scale(torch.amp.GradScaler("cpu", init_scale=1.0), "answer", 3)
    with pytest.raises(LossNotFinite, match="too large for fp16 at step 3") as caught:
        check_scale(torch.amp.GradScaler("cpu", init_scale=0.5), "answer", 3)
    assert "train.answer.learning_rate" in caught.value.next_step


def test_training_and_export_know_one_table_of_types():
    assert {"auto", *TYPES} == set(get_args(TrainSettings.model_fields["precision"].annotation))
    assert {*TYPES, export.INT8} == set(export.DTYPES[export.SAFETENSORS])
    assert not hasattr(precision, "TYPES")
    assert loop.TYPES is export.TYPES is TYPES
