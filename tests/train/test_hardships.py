"""fp16, numbers that are none, too little memory: the loop tells, and keeps what was good."""

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook

from psyllm.core.errors import LossNotFinite, MemoryFull
from psyllm.core.progress import listening
from psyllm.lm.pack import Rows
from psyllm.lm.template import NOT_LEARNT
from psyllm.train import saved
from train.stage_runs import NO_DEV, STAGE, figures, small_model, some_rows, train


class Stopped(Exception):
    """Stands for a process that ends here."""


def stop_at(step):
    def listener(progress):
        if progress.task == "training: adapt" and progress.done == step:
            raise Stopped

    return listening(listener)


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def small_scales(monkeypatch, scale):
    """Begin with another scale than torch's 65,536, and let it grow after two good steps."""
    monkeypatch.setattr(
        "psyllm.train.checked_steps.scaler_for",
        lambda _, device: torch.amp.GradScaler(device, init_scale=scale, growth_interval=2),
    )


def test_fp16_learns_with_weights_in_fp32_and_its_scaler_is_in_the_checkpoint(tmp_path, monkeypatch):
    small_scales(monkeypatch, 1024.0)
    scales = []

    def look(logged):
        steps = saved.whole_steps(tmp_path / "a")
        if steps:
            state = torch.load(saved.folder_of(tmp_path / "a", steps[-1]) / "scaler.pt", weights_only=True)
            scales.append(state["scale"])

    trained, weights = train(tmp_path / "a", precision="fp16", heard=look)
    whole, _ = train(tmp_path / "b")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert scales[-1] == 1024.0 * 2**6
    assert trained.logged[-1]["dev_loss"] == pytest.approx(whole.logged[-1]["dev_loss"], rel=0.02)


def test_fp16_skips_steps_that_overflow_and_a_resumed_run_skips_the_same(tmp_path, monkeypatch):
    small_scales(monkeypatch, 2.0**30)
    whole, weights = train(tmp_path / "a", precision="fp16")
    norms = [line["grad_norm"] for line in figures(whole) if "grad_norm" in line]
    assert not all(torch.isfinite(torch.tensor(norms))), "no step overflowed, so this shows nothing"
    for step in (4, 8):
        with stop_at(step), pytest.raises(Stopped):
            train(tmp_path / f"b{step}", precision="fp16")
        resumed, again = train(tmp_path / f"b{step}", precision="fp16")
        assert str(figures(resumed)) == str(figures(whole))  # as text, for infinity and what is no number
        assert same(weights, again)


def spoilt(how, at_call=None):
    """Return the small model, whose body's output is spoilt at one call, or at all."""
    model = small_model()
    calls = []

    def hook(module, _, output):
        calls.append(1)
        if at_call in {None, len(calls)}:
            output.last_hidden_state = how(output.last_hidden_state)

    model.base_model.register_forward_hook(hook)
    return model


def overflowing(hidden):
    """Leave the numbers as they are, but not their gradient: that of a root of nothing."""
    return hidden + torch.sqrt(hidden.sum() * 0)


def test_gradients_beyond_fp16_end_the_run(tmp_path, monkeypatch):
    small_scales(monkeypatch, 1.0)
    with pytest.raises(LossNotFinite, match="too large for fp16 at step 2"):
        train(tmp_path / "a", precision="fp16", model=spoilt(overflowing))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_once_and_the_last_good_checkpoint_stays(value, tmp_path):
    model = spoilt(lambda hidden: hidden * value, at_call=8)
    with pytest.raises(LossNotFinite, match=r"loss of adapt .* at step 8") as caught:
        train(tmp_path / "a", dev=NO_DEV, model=model)
    assert "train.adapt.learning_rate" in caught.value.next_step
    assert saved.whole_steps(tmp_path / "a") == [3, 6]
    weights = load_file(saved.folder_of(tmp_path / "a", 6) / "model.safetensors")
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_a_step_whose_gradient_is_no_number_is_never_saved(tmp_path):
    with pytest.raises(LossNotFinite, match=r"gradient of adapt .* at step 6"):
        train(tmp_path / "a", dev=NO_DEV, model=spoilt(overflowing, at_call=6))
    assert saved.whole_steps(tmp_path / "a") == [3]


def test_a_dev_loss_that_is_no_number_is_told(tmp_path):
    model = spoilt(lambda hidden: hidden * float("nan"), at_call=4)
    with pytest.raises(LossNotFinite, match=r"dev loss of adapt .* at step 3"):
        train(tmp_path / "a", model=model)


def out_of_memory(hidden):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def really_out_of_memory(hidden):
    return torch.empty(1 << 56, dtype=torch.uint8)


def out_of_pythons_memory(hidden):
    raise MemoryError


@pytest.mark.parametrize("how", [out_of_memory, really_out_of_memory, out_of_pythons_memory])
def test_too_little_memory_names_what_to_set_and_loses_nothing(how, tmp_path):
    with pytest.raises(MemoryFull, match="4 rows of 16 tokens at once in adapt") as caught:
        train(tmp_path / "a", dev=NO_DEV, model=spoilt(how, at_call=5))
    assert "train.adapt.rows_at_once=2" in caught.value.next_step
    assert saved.whole_steps(tmp_path / "a") == [3]
    _, weights = train(tmp_path / "a", dev=NO_DEV)
    _, whole = train(tmp_path / "b", dev=NO_DEV)
    assert same(weights, whole)


def uneven(rows):
    labels = rows.labels.copy()
    for number in range(len(labels)):
        labels[number, 2 + number % 13 :] = NOT_LEARNT
    return Rows(rows.ids, labels, rows.positions)


def gradients(folder, monkeypatch, **more):
    """Return the gradients of the first step, before the weights change."""
    found = {}

    def keep(optimizer, *_):
        if not found:
            params = [weight for group in optimizer.param_groups for weight in group["params"]]
            found.update(enumerate(weight.grad.clone() for weight in params))

    monkeypatch.setattr("psyllm.train.arguments.GRADIENT_NORM", 1e9)  # unclipped
    stage = STAGE.model_copy(update={"steps": 1, "batch_rows": 8, **more.pop("stage", {})})
    handle = register_optimizer_step_pre_hook(keep)
    try:
        train(folder, stage=stage, rows=uneven(some_rows(20, 4)), dev=NO_DEV, **more)
    finally:
        handle.remove()
    return found


def close(first, second, tolerance):
    assert first.keys() == second.keys()
    return all((first[name] - second[name]).abs().max() <= tolerance for name in first)


def test_eight_rows_in_any_parts_give_the_same_gradients_however_uneven_they_are(tmp_path, monkeypatch):
    whole = gradients(tmp_path / "8", monkeypatch)
    assert max(float(gradient.abs().max()) for gradient in whole.values()) > 1e-3
    for at_once in (4, 2, 1):
        parts = gradients(tmp_path / str(at_once), monkeypatch, stage={"rows_at_once": at_once})
        assert close(whole, parts, 1e-6), at_once


def test_gradient_checkpointing_changes_no_gradient_and_is_off_afterwards(tmp_path, monkeypatch):
    model = small_model()
    again = gradients(tmp_path / "b", monkeypatch, gradient_checkpointing=True, model=model)
    assert close(gradients(tmp_path / "a", monkeypatch), again, 1e-7)
    assert not model.is_activation_checkpointing


def test_without_patience_all_steps_are_taken_and_the_best_weights_stay(tmp_path):
    restless = STAGE.model_copy(update={"patience": 0, "learning_rate": 5e-2, "steps": 30})
    trained, _ = train(tmp_path / "a", stage=restless)
    assert trained.steps == 30
    assert trained.best < 30
