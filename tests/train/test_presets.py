"""Every preset can be trained with: settings that agree with each other, and the paper's values where it names any."""

import pytest

from psyllm.core import embedded
from psyllm.core.settings import load_settings, preset_names
from psyllm.lm.known import known_models
from psyllm.train.history import should_stop
from psyllm.train.parts import check_sharing
from psyllm.train.schedule import first_falling_step, rate_share
from psyllm.train.stages import check_settings

PAPER = {"paper-pangu-350m": "pangu-350m", "paper-wenzhong-110m": "wenzhong-110m"}


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_training_agrees_with_itself(name, monkeypatch):
    train = load_settings(preset=name).train
    # whether this machine has what holds 4 bits is no matter of the preset
    monkeypatch.setattr("psyllm.train.adapters._check_card", lambda: None)
    check_settings(train)
    check_sharing(train, 1)
    for stage in (train.adapt, train.answer):
        if not stage.steps:
            continue
        assert stage.warmup_steps < first_falling_step(stage) <= stage.steps
        assert rate_share(stage, stage.warmup_steps) == 1
        assert stage.evaluate_every_steps <= stage.steps
        assert stage.row_tokens <= train.model.context_tokens
    assert train.base is None or train.general_share == 0 or train.adapt.steps
    assert train.base is None or str(train.base) in {embedded.NAME, *(row.name for row in known_models())}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_presets_have_its_values_and_name_their_base(name):
    train = load_settings(preset=name).train
    assert str(train.base) == PAPER[name]
    assert train.model.context_tokens == 1024  # the positions of both
    worse = [{"step": step, "dev_loss": float(step)} for step in range(1, 20)]
    for stage in (train.adapt, train.answer):
        assert (stage.steps, stage.batch_rows, stage.epochs, stage.optimizer) == (100_000, 8, 0, "adamw")
        assert should_stop(worse, stage.patience)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_where_it_comes_from(name):
    from psyllm.core.settings import CONF

    assert (CONF / f"{name}.toml").read_text("utf-8").startswith("# ")
