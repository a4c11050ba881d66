"""Every published way of storing a PanGu loads to the same logits; what can't be right is refused with the reason."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM

import psyllm.lm.pangu
from lm.pangu_small import KINDS, published_config, published_weights, small_model, some_ids, write_folder
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.checkpoint import load_weights, quiet_transformers
from psyllm.lm.pangu_config import GPTPanguConfig
from psyllm.lm.pangu_layouts import check_weights, expected_shapes

# bytes of the published files' weights: models.md, section 1.1
LAYOUTS = {
    "imone 2.6B": {"file": "zip", "buffers": True, "head": "tied"},
    "of the old format": {"file": "legacy", "buffers": True, "head": "tied"},
    "sunzeyeah 350M": {"file": "zip", "half": True},
    "sunzeyeah 350M as safetensors": {"file": "safetensors", "half": True},
    "sunzeyeah 2.6B": {"file": "zip"},
    "sunzeyeah 13B": {"file": "shards 10", "half": True},
    "sunzeyeah 350M sft": {"file": "zip", "buffers": True},
    "sunzeyeah 2.6B sft": {"file": "shards 2", "buffers": True, "head": "apart"},
    "safetensors with all": {"file": "safetensors", "buffers": True, "head": "apart"},
}


def load(folder, **named):
    with quiet_transformers():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **named)


def stored(model, **how):
    file = how.pop("file")
    return published_weights(model, **how), file


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_published_layout_gives_the_same_logits(layout, kind, tmp_path):
    model = small_model(**kind)
    model.load_state_dict({name: w.half().float() for name, w in model.state_dict().items()})
    weights, file = stored(model, **layout)
    folder = write_folder(tmp_path / "there", published_config(model), weights, file=file)
    found, told = load(folder, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert not told["mismatched_keys"]
    ids = some_ids(2, 9)
    assert torch.equal(found(ids).logits, model(ids).logits)
    assert found.lm_head.weight is found.transformer.wte.weight
    assert torch.equal(load_weights(folder)(ids).logits, model(ids).logits)


def test_the_body_alone_loads_from_the_same_files(tmp_path):
    model = small_model()
    folder = write_folder(
        tmp_path, published_config(model), published_weights(model, buffers=True, head="tied")
    )
    with quiet_transformers():
        body = AutoModel.from_pretrained(folder, dtype=torch.float32)
    assert type(body) is psyllm.lm.pangu.GPTPanguModel
    ids = some_ids(1, 7)
    assert torch.equal(body(ids).last_hidden_state, model.transformer(ids).last_hidden_state)
    body.save_pretrained(tmp_path / "body")
    assert torch.equal(load(tmp_path / "body")(ids).logits, model(ids).logits)


def test_a_head_of_its_own_stays_apart(tmp_path):
    model = small_model()
    weights = published_weights(model, head="apart")
    weights["lm_head.weight"] += 1
    found = load(write_folder(tmp_path / "there", published_config(model), weights))
    ids = some_ids(1, 5)
    expected = model.transformer(ids).last_hidden_state @ weights["lm_head.weight"].T
    assert torch.allclose(found(ids).logits, expected, atol=1e-5)
    found.tie_weights()
    assert torch.allclose(found(ids).logits, expected, atol=1e-5)
    found.save_pretrained(tmp_path / "again")
    assert torch.allclose(load(tmp_path / "again")(ids).logits, expected, atol=1e-5)


def test_a_model_saved_in_parts_comes_back_and_a_missing_part_is_told(tmp_path):
    model, ids = small_model(), some_ids(2, 6)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    parts = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert torch.equal(load(tmp_path)(ids).logits, model(ids).logits)
    parts[1].unlink()
    with pytest.raises(BadCheckpoint, match=f"lacks {parts[1].name}"):
        load(tmp_path)


def test_a_saved_model_comes_back_and_asks_for_no_foreign_code(tmp_path):
    model = small_model()
    weights = published_weights(model, buffers=True, head="tied")
    found = load(write_folder(tmp_path / "there", published_config(model), weights))
    found.save_pretrained(tmp_path / "again")
    config = json.loads((tmp_path / "again" / "config.json").read_text("utf-8"))
    assert "auto_map" not in config
    assert "lm_head.weight" not in load_file(tmp_path / "again" / "model.safetensors")
    again = load(tmp_path / "again", trust_remote_code=False)
    ids = some_ids(2, 6)
    assert torch.equal(again(ids).logits, found(ids).logits)
    assert again.generation_config.to_dict() == found.generation_config.to_dict()


@pytest.mark.parametrize("name", ["gpt_pangu", "pangu"])
def test_both_names_of_the_kind_load(name, tmp_path):
    model = small_model()
    config = published_config(model, model_type=name)
    found = load(write_folder(tmp_path, config, published_weights(model)))
    assert found.config.model_type == name
    ids = some_ids(1, 5)
    assert torch.equal(found(ids).logits, model(ids).logits)


def test_a_wish_for_how_to_generate_is_kept_and_missing_ones_are_filled_in(tmp_path):
    model = small_model(use_cache=False)
    folder = write_folder(tmp_path, published_config(model), published_weights(model))
    filled = load(folder).generation_config
    assert (filled.eos_token_id, filled.pad_token_id, filled.use_cache) == (9, 6, True)
    (folder / "generation_config.json").write_text('{"eos_token_id": 3, "top_k": 3}', "utf-8")
    kept = load(folder).generation_config
    assert (kept.eos_token_id, kept.top_k) == (3, 3)


FIRST = "transformer.h.0.attn.q_proj.weight"


def cut(weights, *names, rows=40):
    for name in names:
        weights[name] = weights[name][:rows].clone()


def too_few_rows(config, weights):
    cut(weights, "transformer.wte.weight")
    del weights["lm_head.weight"]
    return ["wte.weight has 40 rows", "vocab_size 61"], "set vocab_size to 40"


def another_head(config, weights):
    cut(weights, "lm_head.weight")
    return ["lm_head.weight has 40 rows", "vocab_size 61"], "vocab_size"


def too_few_positions(config, weights):
    cut(weights, "transformer.wpe.weight", "transformer.wqe.weight", rows=20)
    return ["wpe.weight has 20 rows", "max_position_embeddings 24"], "set max_position_embeddings to 20"


def a_weight_missing(config, weights):
    del weights[FIRST]
    return ["lacks h.0.attn.q_proj.weight"], "sha256"


def only_a_reward(config, weights):
    weights.clear()
    weights["reward.weight"] = torch.zeros(1)
    return ["lacks wte.weight"], "reward model"


def an_odd_shape(config, weights):
    weights[FIRST] = weights[FIRST][:, :8].clone()
    return ["[16, 8]", "[16, 16]"], "config.json"


def a_layer_too_many(config, weights):
    config["num_layers"] = 2
    return ["holds h.2.", "num_layers 2"], "set num_layers to 3"


def a_layer_too_few(config, weights):
    config["num_layers"] = 4
    return ["lacks h.3.ln_1.weight", "16 weights"], "sha256"


WRONG = [
    too_few_rows,
    another_head,
    too_few_positions,
    a_weight_missing,
    only_a_reward,
    an_odd_shape,
    a_layer_too_many,
    a_layer_too_few,
]


def spoiled(spoil):
    """Return config and weights of a wrong folder, what the refusal says and what it tells to do."""
    model = small_model()
    config, weights = published_config(model), published_weights(model, head="apart")
    return config, weights, *spoil(config, weights)


@pytest.mark.parametrize("spoil", WRONG)
@pytest.mark.parametrize("file", ["legacy", "zip", "safetensors", "shards 3"])
def test_a_folder_that_its_configuration_does_not_describe_is_refused(spoil, file, tmp_path):
    config, weights, said, next_step = spoiled(spoil)
    folder = write_folder(tmp_path, config, weights, file=file)
    for read in (load, load_weights):
        with pytest.raises(BadCheckpoint) as caught:
            read(folder)
        assert all(words in caught.value.message for words in said), caught.value.message
        assert next_step in caught.value.next_step


def test_the_refusal_comes_before_a_model_is_made(tmp_path, monkeypatch):
    config, weights, *_ = spoiled(too_few_rows)
    folder = write_folder(tmp_path, config, weights)
    monkeypatch.setattr(torch.nn.Linear, "__init__", None)
    with pytest.raises(BadCheckpoint, match="40 rows"):
        load(folder)


def test_another_size_can_be_asked_for(tmp_path):
    config, weights, *_ = spoiled(too_few_rows)
    folder = write_folder(tmp_path, config, weights)
    assert load(folder, ignore_mismatched_sizes=True).transformer.wte.weight.shape == (61, 16)


@pytest.mark.parametrize("file", ["legacy", "zip", "safetensors", "shards 2"])
def test_a_torn_file_is_told_as_torn(file, tmp_path):
    model = small_model()
    folder = write_folder(tmp_path, published_config(model), published_weights(model), file=file)
    path = max(folder.glob("*model*[ns]"), key=lambda one: one.stat().st_size)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadCheckpoint, match="torn") as caught:
        load(folder)
    assert path.name in caught.value.message


class Evil:
    """What unpickling must never run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_of_weights_is_refused_and_not_run(zipped, tmp_path):
    model = small_model()
    weights = {**published_weights(model), "more": Evil(str(tmp_path / "was run"))}
    folder = write_folder(tmp_path / "there", published_config(model), {})
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadCheckpoint, match="holds more than weights") as caught:
        load(folder)
    assert not (tmp_path / "was run").exists()
    assert "safetensors" in caught.value.next_step
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(str(tmp_path / "was run"))))
    with pytest.raises(BadCheckpoint):
        load(folder)
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("[]", "not an index"),
        ("{", "not an index"),
        ('{"weight_map": {"a": "../other.bin"}}', "outside of its folder"),
        ('{"weight_map": {"a": "gone.bin"}}', "lacks gone.bin, one of 1 parts"),
    ],
)
def test_a_wrong_index_is_told(index, said, tmp_path):
    model = small_model()
    folder = write_folder(tmp_path, published_config(model), published_weights(model), file="shards 2")
    (folder / "pytorch_model.bin.index.json").write_text(index, "utf-8")
    with pytest.raises(BadCheckpoint, match=said):
        load(folder)


def test_a_folder_without_weights_is_the_librarys_to_tell(tmp_path):
    check_weights(tmp_path, GPTPanguConfig())


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "rows", "weights"),
    [
        (24, 1024, 16, 40_000, 345_368_576),
        (32, 2560, 32, 40_000, 2_625_295_360),
        (40, 5120, 40, 40_064, 12_801_198_080),
    ],
)
def test_the_three_published_sizes_have_as_many_weights_as_published(layers, hidden, heads, rows, weights):
    config = GPTPanguConfig(num_layers=layers, hidden_size=hidden, num_heads=heads, vocab_size=rows)
    assert sum(int(torch.Size(shape).numel()) for shape in expected_shapes(config).values()) == weights
    with torch.device("meta"):
        model = psyllm.lm.pangu.GPTPanguForCausalLM(config)
    shapes = {name.removeprefix("transformer."): tuple(w.shape) for name, w in model.named_parameters()}
    assert shapes == expected_shapes(config)
