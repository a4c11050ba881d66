"""GGUF files: read back with the reader of llama.cpp's own package, and by transformers' reader of them."""

import json
import random
from itertools import pairwise

import gguf
import numpy as np
import pytest
import torch
from tokenizers import Regex, normalizers, pre_tokenizers
from tokenizers import Tokenizer as FilePieces

from lm.small import SHAPE, TEXTS, byte_level
from lm.small_bases import LLAMA_CPP_SHAPES, write_base
from made_up import text
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.checkpoint import build, load_base, load_weights, quiet_transformers, save
from psyllm.lm.dialogue_form import dialogue_form
from psyllm.lm.export import export
from psyllm.lm.gguf_tensors import turn_pairs
from psyllm.lm.gguf_tokens import CUTS, Kind, read_pieces
from psyllm.lm.template import SPECIAL_TOKENS
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer, train_tokenizer
from psyllm.lm.wording import TURNS

IDS = torch.randint(0, 290, (1, 20), generator=torch.Generator().manual_seed(1))
ALIKE = {"fp32": 1e-5, "fp16": 0.01, "bf16": 0.05, "q8_0": 0.1}


def read(folder):
    return gguf.GGUFReader(folder / "model.gguf")


def field(reader, name):
    return reader.get_field(name).contents()


def restored(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


@pytest.fixture
def ours(tmp_path):
    """A model and a tokenizer of our own make."""
    tokenizer = train_tokenizer(TEXTS, SHAPE.vocabulary)
    save(tmp_path / "ours", build(SHAPE, tokenizer, seed=1), tokenizer, context_tokens=96)
    return tmp_path / "ours"


@pytest.mark.parametrize("dtype", ALIKE)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", LLAMA_CPP_SHAPES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")  # transformers' reader copies read-only arrays
def test_transformers_reads_the_file_back_to_the_same_logits(shape, tied, dtype, tmp_path):
    """Its reader undoes llama.cpp's names, turned matrices and reordered heads by code of its own."""
    from transformers import AutoConfig, AutoModelForCausalLM

    write_base(tmp_path / "source", shape, tied=tied)
    export(tmp_path / "source", tmp_path / "out", "gguf", dtype)
    with quiet_transformers():
        again = AutoModelForCausalLM.from_pretrained(
            tmp_path / "out",
            gguf_file="model.gguf",
            config=AutoConfig.from_pretrained(
                tmp_path / "source"
            ),  # it takes the usual size of a head as given
            local_files_only=True,
            dtype=torch.float32,
        ).train(mode=False)
    model = load_weights(tmp_path / "source").train(mode=False)
    with torch.no_grad():
        expected, found = (each(IDS, use_cache=False).logits for each in (model, again))
    assert (found - expected).abs().max() <= ALIKE[dtype] * expected.abs().max()


def expected_names(shape):
    if shape == "gpt2":
        each = ["attn_norm.weight", "attn_norm.bias", "ffn_norm.weight", "ffn_norm.bias"]
        each += [
            f"{name}.{part}"
            for name in ("attn_qkv", "attn_output", "ffn_up", "ffn_down")
            for part in ("weight", "bias")
        ]
        outer = {"token_embd.weight", "position_embd.weight", "output_norm.weight", "output_norm.bias"}
    else:
        each = [
            f"{name}.weight"
            for name in ("attn_norm", "ffn_norm", "attn_q", "attn_k", "attn_v", "attn_output")
        ]
        each += [f"ffn_{name}.weight" for name in ("gate", "up", "down")]
        each += ["attn_q_norm.weight", "attn_k_norm.weight"] if shape == "qwen3" else []
        outer = {"token_embd.weight", "output_norm.weight"}
    return outer | {f"blk.{layer}.{name}" for layer in range(2) for name in each}


@pytest.mark.parametrize("shape", LLAMA_CPP_SHAPES)
def test_names_kinds_and_numbers_are_those_that_the_loader_asks_for(shape, tmp_path):
    write_base(tmp_path / "source", shape)
    export(tmp_path / "source", tmp_path / "out", "gguf", "q8_0")
    reader = read(tmp_path / "out")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert set(tensors) == expected_names(shape)
    whole = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in tensors.items():
        plain = len(tensor.shape) == 1 or name == "position_embd.weight"
        assert tensor.tensor_type == (gguf.GGMLQuantizationType.F32 if plain else whole), name
    assert field(reader, "general.architecture") == shape
    assert field(reader, "general.file_type") == gguf.LlamaFileType.MOSTLY_Q8_0
    assert field(reader, "general.license") == "unknown"
    numbers = {"block_count": 2, "embedding_length": 32, "context_length": 64}
    if shape != "gpt2":
        numbers |= {"attention.head_count": 4, "attention.head_count_kv": 2, "feed_forward_length": 64}
        numbers |= {"rope.dimension_count": 8, "attention.key_length": 8, "attention.value_length": 8}
        assert field(reader, f"{shape}.rope.freq_base") == 10_000
        assert field(reader, f"{shape}.attention.layer_norm_rms_epsilon") == pytest.approx(1e-6)
    else:
        numbers |= {"attention.head_count": 2, "feed_forward_length": 128}
        assert field(reader, "gpt2.attention.layer_norm_epsilon") == pytest.approx(1e-5)
    assert {name: field(reader, f"{shape}.{name}") for name in numbers} == numbers


def test_queries_and_keys_of_llama_are_reordered_by_pairs_worked_out_by_hand():
    rows = np.arange(8, dtype=np.float32)[:, None].repeat(2, axis=1)
    assert turn_pairs(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert turn_pairs(rows[:, 0], 1).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_a_matrix_that_blocks_do_not_divide_is_fp16(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = Tokenizer(byte_level())
    tokenizer.save(tmp_path / "source")
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=1,
        num_attention_heads=4,
        bos_token_id=None,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "source")
    export(tmp_path / "source", tmp_path / "out", "gguf", "q8_0")
    kinds = {tensor.name: tensor.tensor_type for tensor in read(tmp_path / "out").tensors}
    assert kinds["blk.0.ffn_down.weight"] == gguf.GGMLQuantizationType.F16
    assert kinds["blk.0.ffn_up.weight"] == gguf.GGMLQuantizationType.Q8_0


def as_llama_cpp_joins(pieces, said):
    """What llama.cpp's make `llama` does: the neighbours of the highest score are joined, the first of equals."""
    number = {piece: place for place, piece in enumerate(pieces.texts) if pieces.kinds[place] is Kind.NORMAL}
    symbols = list(said.replace(" ", "▁"))
    while True:
        pairs = [
            (pieces.scores[number[a + b]], -place)
            for place, (a, b) in enumerate(pairwise(symbols))
            if a + b in number
        ]
        if not pairs:
            break
        place = -max(pairs)[1]
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
    spelt = [
        [symbol] if symbol in number else [f"<0x{byte:02X}>" for byte in symbol.encode()]
        for symbol in symbols
    ]
    places = {piece: place for place, piece in enumerate(pieces.texts)}
    return [places[piece] for symbol in spelt for piece in symbol]


def test_our_pieces_are_joined_by_llama_cpps_rule_as_by_ours(ours):
    tokenizer, pieces = read_tokenizer(ours), read_pieces(ours, 512)
    chance = random.Random(2)
    said = [
        *TEXTS[:2],
        " a  b",
        "心理 咨询",
        "<|end|>",
        "<0x41>",
        "龘\n\t❤",
        *(text(chance) for _ in range(20)),
    ]
    for words in said:
        assert as_llama_cpp_joins(pieces, words) == tokenizer.encode(words), words


def test_our_tokenizer_goes_over_piece_by_piece(ours, tmp_path):
    export(ours, tmp_path / "out", "gguf", "fp16")
    reader = read(tmp_path / "out")
    texts, kinds = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    assert field(reader, "tokenizer.ggml.model") == "llama"
    assert tuple(texts[:4]) == SPECIAL_TOKENS
    assert kinds[:4] == [Kind.CONTROL] * 4
    tokenizer = read_tokenizer(ours)
    assert texts[tokenizer.encode(" ")[0]] == "▁"
    assert [texts[number] for number in tokenizer.encode("心理咨询")] == ["心理咨询"]
    spelt = [number for number, kind in enumerate(kinds) if kind == Kind.BYTE]
    assert len(spelt) in {255, 256}
    assert len(texts) == len(kinds) == len(field(reader, "tokenizer.ggml.scores")) == tokenizer.size
    assert field(reader, "tokenizer.ggml.eos_token_id") == 1
    assert field(reader, "tokenizer.ggml.padding_token_id") == 0
    for name in ("add_bos_token", "add_eos_token", "add_space_prefix"):
        assert field(reader, f"tokenizer.ggml.{name}") is False
    assert field(reader, "llama.context_length") == 96
    assert json.loads(field(reader, "psyllm.lineage")) == {}


def test_a_piece_that_llama_cpp_takes_for_a_space_gives_way(tmp_path):
    train_tokenizer(["▁心理 ▁咨询 " * 9] * 5, 300).save(tmp_path)
    pieces = read_pieces(tmp_path, 400)
    tokenizer = read_tokenizer(tmp_path)
    assert pieces.texts[tokenizer.encode(" ")[0]] == "▁"
    assert pieces.texts.count("▁") == 1
    assert pieces.kinds[tokenizer.encode("▁")[0]] is Kind.UNUSED
    assert pieces.kinds[399] is Kind.UNUSED
    assert len(set(pieces.texts)) == 400


def test_byte_level_pieces_go_over_as_they_are(tmp_path):
    write_base(tmp_path / "source", "gpt2", spare_rows=3)
    model, tokenizer = load_base(tmp_path / "source")
    save(tmp_path / "made", model, tokenizer, context_tokens=64)
    export(tmp_path / "made", tmp_path / "out", "gguf", "fp32")
    reader = read(tmp_path / "out")
    vocabulary = json.loads((tmp_path / "made" / "tokenizer.json").read_text())["model"]["vocab"]
    texts = field(reader, "tokenizer.ggml.tokens")
    assert all(texts[number] == piece for piece, number in vocabulary.items())
    assert field(reader, "tokenizer.ggml.model") == "gpt2"
    assert field(reader, "tokenizer.ggml.pre") == "gpt-2"
    assert len(field(reader, "tokenizer.ggml.merges")) > 10
    assert field(reader, "tokenizer.ggml.eos_token_id") == tokenizer.mark("<|end|>")
    assert field(reader, "tokenizer.chat_template") == dialogue_form(TURNS)


def test_the_way_of_cutting_is_named_or_refused(tmp_path):
    for pattern, name in CUTS.items():
        pieces = byte_level()
        if pattern:
            split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
            pieces.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(use_regex=False)])
        Tokenizer(pieces).save(tmp_path)
        assert read_pieces(tmp_path, 300).cut == name
    pieces = byte_level()
    split = pre_tokenizers.Split(Regex(r"\d"), behavior="isolated")
    pieces.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(use_regex=False)])
    Tokenizer(pieces).save(tmp_path)
    with pytest.raises(BadCheckpoint, match="cuts texts in a way"):
        read_pieces(tmp_path, 300)


def test_a_tokenizer_that_changes_texts_is_refused(tmp_path):
    pieces: FilePieces = byte_level()
    pieces.normalizer = normalizers.NFKC()
    Tokenizer(pieces).save(tmp_path)
    with pytest.raises(BadCheckpoint, match="of a make that can't be written") as caught:
        read_pieces(tmp_path, 300)
    assert "--form safetensors" in caught.value.next_step


def test_a_folder_without_the_tokenizers_file_is_refused(tmp_path):
    with pytest.raises(BadCheckpoint, match="from which a GGUF file takes its pieces"):
        read_pieces(tmp_path, 300)


def refused(tmp_path, **changes):
    """Return why a model whose configuration was changed so is not exported."""
    shape = changes.pop("shape")
    write_base(tmp_path / "source", shape)
    path = tmp_path / "source" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(BadCheckpoint) as caught:
        export(tmp_path / "source", tmp_path / "out", "gguf", "fp16")
    assert "--form safetensors" in caught.value.next_step
    assert not (tmp_path / "out").exists()
    return caught.value.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": "gpt2", "activation_function": "gelu"}, "GELU's tanh form"),
        ({"shape": "gpt2", "scale_attn_by_inverse_layer_idx": True}, "scales attention"),
        ({"shape": "llama", "hidden_act": "gelu"}, "with silu"),
        (
            {"shape": "llama", "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
            "of the type linear",
        ),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(changes, reason, tmp_path):
    assert reason in refused(tmp_path, **changes)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("gpt_pangu", "no PanGu-alpha"), ("pangu", "no PanGu-alpha"), ("bloom", "type bloom")],
)
def test_a_model_that_llama_cpp_does_not_have_is_refused_before_it_is_loaded(kind, reason, tmp_path):
    assert reason in refused(tmp_path, shape="llama", model_type=kind)
