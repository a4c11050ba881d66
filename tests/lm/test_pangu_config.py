"""What a published config.json leaves out is filled in; what it says of foreign code is dropped."""

import json

import pytest
from transformers import AutoConfig

import psyllm.lm.pangu
from lm.pangu_small import REMOTE, SIZES
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.pangu_config import GPTPanguConfig, PanguConfig, generation_of


def read(folder, **fields):
    (folder / "config.json").write_text(json.dumps({**SIZES, "model_type": "gpt_pangu", **fields}), "utf-8")
    return AutoConfig.from_pretrained(folder)


def test_the_published_sizes_are_read(tmp_path):
    config = read(tmp_path, num_layers=24, hidden_size=1024, num_heads=16, intermediate_size=None)
    assert (config.num_hidden_layers, config.num_attention_heads, config.intermediate_size) == (24, 16, 4096)
    assert (config.eos_token_id, config.pad_token_id, config.tie_word_embeddings) == (9, 6, True)


@pytest.mark.parametrize(("name", "kind"), [("gpt_pangu", GPTPanguConfig), ("pangu", PanguConfig)])
def test_both_names_are_known(name, kind, tmp_path):
    assert type(read(tmp_path, model_type=name)) is kind
    assert psyllm.lm.pangu.GPTPanguConfig.model_type == "gpt_pangu"


@pytest.mark.parametrize("trust", [{}, {"trust_remote_code": False}, {"trust_remote_code": True}])
def test_code_that_a_folder_asks_for_is_never_asked_about_and_not_passed_on(trust, tmp_path):
    fields = {**SIZES, "model_type": "gpt_pangu", "auto_map": REMOTE, "summary_type": "cls_index"}
    (tmp_path / "config.json").write_text(json.dumps(fields), "utf-8")
    config = AutoConfig.from_pretrained(tmp_path, **trust)
    assert type(config) is GPTPanguConfig
    config.save_pretrained(tmp_path / "again")
    assert "auto_map" not in json.loads((tmp_path / "again" / "config.json").read_text("utf-8"))


def test_a_saved_configuration_comes_back_equal(tmp_path):
    config = read(tmp_path, eos_token_id=None, intermediate_size=56, scale_attn_weights=False)
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert again.to_dict() == {**config.to_dict(), "_name_or_path": again.to_dict()["_name_or_path"]}
    assert (again.eos_token_id, again.intermediate_size, again.scale_attn_weights) == (None, 56, False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hidden_size": 30}, "a width of 30 can't be shared by 4 heads"),
        ({"num_layers": 0}, "num_layers 0"),
        ({"hidden_size": "16"}, "hidden_size '16'"),
        ({"vocab_size": None}, "vocab_size None"),
    ],
)
def test_sizes_that_make_no_model_are_refused(fields, said, tmp_path):
    with pytest.raises(BadCheckpoint, match=said) as caught:
        read(tmp_path, **fields)
    assert "config.json" in caught.value.next_step


def test_marks_and_rows_without_text_are_never_said_where_the_vocabulary_is_the_published_one():
    generation = generation_of(GPTPanguConfig(**{**SIZES, "vocab_size": 40_064}))
    assert generation.suppress_tokens == [0, 1, 2, 5, 6, 7, 8, *range(40_000, 40_064)]
    assert generation_of(GPTPanguConfig(**SIZES)).suppress_tokens is None


def test_answers_are_made_with_a_cache_even_where_the_configuration_trains_without():
    generation = generation_of(GPTPanguConfig(**SIZES, use_cache=False))
    assert (generation.use_cache, generation.eos_token_id, generation.pad_token_id) == (True, 9, 6)
