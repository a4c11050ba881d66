"""A training goes on with the words around people's words that it began with, or not at all."""

import datetime as dt
import json

import pytest

from lm.published import PLAIN_TEMPLATE, qwen_folder
from psyllm.core.base_models import base_hash
from psyllm.core.begun_models import BEGAN
from psyllm.core.errors import BadCheckpoint
from psyllm.lm import chat
from psyllm.lm.model_card import read_card
from psyllm.train.run import run, undertake
from psyllm.train.undertaking import continued, longer, resumed
from train.test_run import Stopped, changed, model_folder, stop_at

# As Llama 3's, whose system text names the day.
DATED = PLAIN_TEMPLATE.replace("system\\nHelp.", "system\\nHelp.' + strftime_now('%d %b %Y') + '")


@pytest.fixture
def based(settings, tmp_path):
    """A few steps on a base with a chat template of its own."""
    qwen_folder(tmp_path / "qwen", DATED)
    few = {"steps": 4, "evaluate_every_steps": 2, "patience": 0, "warmup_steps": 1}
    return changed(settings, base=tmp_path / "qwen", adapt={"steps": 0}, answer=few)


@pytest.fixture
def otherwise(monkeypatch):
    """Let chat templates render otherwise from now on, as another version may."""
    return lambda: monkeypatch.setattr(chat, "DATE", dt.datetime(2025, 2, 1, tzinfo=dt.UTC))


def refusal(begin):
    with pytest.raises(BadCheckpoint, match="began with other words around what people say") as caught:
        begin()
    assert "before a first question 'system\\nHelp.01 Jan 2025" in caught.value.message
    assert "before the answer" not in caught.value.message
    return caught.value.next_step


def test_an_interrupted_training_is_not_resumed_in_another_form(data, based, otherwise):
    with stop_at("answer", 3), pytest.raises(Stopped):
        run(based, data)
    otherwise()
    (folder,) = (path.parent for path in (data / "4_models").glob(f"*/{BEGAN}"))
    for begin in (lambda: undertake(resumed(data, None), data), lambda: run(based, data)):
        assert refusal(begin).endswith(f"delete {folder} and begin anew: psyllm train")
    kept = json.loads((folder / BEGAN).read_text())
    assert kept.pop("wording")["first"].startswith("<|im_start|>system\nHelp.01 Jan 2025")
    (folder / BEGAN).write_text(json.dumps(kept))  # as an earlier version began it
    assert undertake(resumed(data, None), data).counts["answer_steps"] == 4


def test_more_steps_are_not_taken_in_another_form_and_continue_keeps_the_form(data, based, otherwise):
    first = run(based, data)
    wording = read_card(model_folder(data) / "model").wording
    otherwise()
    advice = refusal(lambda: undertake(longer(data, None, steps=2), data))
    assert advice.endswith(f"psyllm train continue {first.run}")
    assert len(list((data / "4_models").glob("model-*"))) == 1
    undertake(continued(changed(based, seed=9), data, None), data)
    assert read_card(model_folder(data) / "model").wording == wording


def test_a_base_whose_template_file_has_changed_is_another_base(tmp_path):
    qwen_folder(tmp_path / "qwen", None)
    hashes = set()
    for template in (None, DATED, PLAIN_TEMPLATE):
        if template is not None:
            (tmp_path / "qwen" / chat.TEMPLATE_FILE).write_text(template)
        hashes.add(base_hash(tmp_path / "qwen"))
    assert len(hashes) == 3
