"""Published bases go through both stages, and what comes out is spoken to as they were."""

import pytest

from lm.published import PLAIN_TEMPLATE, qwen_folder, wenzhong_folder
from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.lm.checkpoint import load
from psyllm.lm.template import END, PAD
from psyllm.lm.tokenizer import read_tokenizer
from psyllm.train.material import answer_rows, read_material
from psyllm.train.run import run


def few(settings, base, **more):
    stages = {name: getattr(settings, name).model_copy(update={"steps": 3}) for name in ("adapt", "answer")}
    return settings.model_copy(update={**stages, "base": base, **more})


def model_folder(data):
    return data / "4_models" / (data / "4_models" / "current").read_text().strip() / "model"


BASES = {
    "wenzhong": lambda folder: wenzhong_folder(folder, positions=256),
    "thinking": qwen_folder,
    "plain": lambda folder: qwen_folder(folder, PLAIN_TEMPLATE),
}


@pytest.mark.parametrize(
    ("kind", "version"), [("wenzhong", "wenzhong-1"), ("thinking", "chat-1"), ("plain", "chat-1")]
)
def test_a_published_base_keeps_its_own_wording(kind, version, data, settings, tmp_path):
    rows = BASES[kind](tmp_path / kind)
    run(few(settings, tmp_path / kind), data)
    checkpoint = load(model_folder(data))
    base = read_tokenizer(tmp_path / kind)
    assert checkpoint.card.template_version == version
    assert checkpoint.tokenizer.wording == base.wording
    assert checkpoint.tokenizer.size == rows
    config = checkpoint.model.generation_config
    assert config.eos_token_id == base.mark(END) != config.pad_token_id == base.mark(PAD)


def test_our_marks_are_taken_on_wish_and_what_does_not_go_is_told(data, settings, tmp_path):
    rows = wenzhong_folder(tmp_path / "base", positions=256)
    run(few(settings, tmp_path / "base", template="turns"), data)
    checkpoint = load(model_folder(data))
    assert checkpoint.card.template_version == "turns-1"
    assert checkpoint.tokenizer.size == rows + 4
    with pytest.raises(BadCheckpoint, match="no chat template"):
        run(few(settings, tmp_path / "base", template="chat"), data)


def test_a_template_of_a_base_needs_one(data, settings):
    with pytest.raises(BadSetting, match=r"train\.template=pangu is a base's own"):
        run(settings.model_copy(update={"template": "pangu"}), data)


@pytest.mark.parametrize("kind", list(BASES))
def test_the_rows_of_the_answer_stage_hold_an_end_for_every_answer(kind, data, tmp_path):
    BASES[kind](tmp_path / kind)
    tokenizer = read_tokenizer(tmp_path / kind)
    material = read_material(next((data / "3_corpus").glob("split-*")), "train")
    rows = answer_rows(tokenizer, material.dialogues, 4096, "preparing")
    answers = sum(message.role == "counsellor" for dialogue in material.dialogues for message in dialogue)
    assert int((rows.labels == tokenizer.mark(END)).sum()) == answers
    assert not (rows.labels == tokenizer.mark(PAD)).any()
