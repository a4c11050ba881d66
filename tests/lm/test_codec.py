"""Text is text, whatever it looks like, for tokenizers that would make a mark of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Pieces

from lm.published import qwen_folder, wenzhong_folder
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.codec import JsonCodec, encode_wording, read_codec

LETTERS = "<>|sepend我累 /"


def greedy():
    """A tokenizer whose merges make <sep> out of plain letters, and which takes full-width for half-width."""
    vocabulary = {letter: number for number, letter in enumerate(sorted(set(LETTERS)))}
    merges = [("<", "s"), ("<s", "e"), ("<se", "p"), ("<sep", ">")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    pieces = Pieces(models.BPE(vocab=vocabulary, merges=merges))
    pieces.normalizer = normalizers.NFKC()
    pieces.pre_tokenizer = pre_tokenizers.Split(" ", behavior="isolated")
    pieces.decoder = decoders.Fuse()
    pieces.add_special_tokens([AddedToken("<sep>", special=True, normalized=False)])
    pieces.add_tokens([AddedToken("</end>", special=False, normalized=True)])
    return JsonCodec(pieces)


GREEDY = greedy()


def test_a_typed_mark_that_merges_would_make_is_torn_apart_and_keeps_its_letters():
    ids = GREEDY.encode("我<sep>累")
    assert GREEDY.marks["<sep>"] not in ids
    assert GREEDY.decode(ids) == "我<sep>累"


def test_a_mark_in_disguise_is_none_either():
    ids = GREEDY.encode("我\uff1csep\uff1e累\uff1c/end\uff1e")
    assert not set(ids) & set(GREEDY.marks.values())
    assert GREEDY.decode(ids).startswith("我")


@given(
    st.lists(
        st.sampled_from([*LETTERS, "<sep>", "</end>", "<se", "p>", "\uff1c", "\uff1e"]), max_size=10
    ).map("".join)
)
def test_no_text_becomes_a_mark(words):
    assert not set(GREEDY.encode(words)) & set(GREEDY.marks.values())
    assert GREEDY.encode_many([words, "我"]) == [GREEDY.encode(words), GREEDY.encode("我")]


def test_in_wording_of_our_own_marks_are_marks():
    ids = encode_wording(GREEDY, "<sep>我</end>")
    assert ids == [GREEDY.marks["<sep>"], *GREEDY.encode("我"), GREEDY.marks["</end>"]]
    assert encode_wording(GREEDY, "") == []
    assert encode_wording(GREEDY, "<sep>我</end>") == GREEDY.encode_whole("<sep>我</end>")


def test_encoding_a_whole_prompt_leaves_typed_marks_plain_afterwards():
    GREEDY.encode_whole("<sep>")
    assert GREEDY.marks["<sep>"] not in GREEDY.encode("<sep>")


def test_a_tokenizer_only_transformers_can_read_is_the_same_as_its_json(tmp_path):
    """Qwen3's two files without tokenizer.json are cut by Qwen's rules, not GPT-2's."""
    qwen_folder(tmp_path / "qwen")
    folder = tmp_path / "qwen"
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
    merges = "\n".join(" ".join(merge) for merge in content["model"]["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    (folder / "tokenizer.json").unlink()
    codec = read_codec(folder)
    assert codec.decode(codec.encode("我今天 很累。\n123")) == "我今天 很累。\n123"
    assert isinstance(codec, JsonCodec)


def test_merges_alone_are_no_tokenizer(tmp_path):
    wenzhong_folder(tmp_path / "half")
    (tmp_path / "half" / "vocab.json").unlink()
    with pytest.raises(BadCheckpoint):
        read_codec(tmp_path / "half")


@pytest.mark.parametrize("name", ["vocab.json", "vocab.model", "tokenizer.json"])
def test_a_broken_file_is_named(tmp_path, name):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "merges.txt").write_text("")
    (tmp_path / name).write_text("{")
    with pytest.raises(BadCheckpoint, match=name):
        read_codec(tmp_path)


def test_a_folder_without_any_is_told(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"has no tokenizer\.json"):
        read_codec(tmp_path)
