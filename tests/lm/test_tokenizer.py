"""Any text comes back; pieces are short; marks can't be typed."""

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm.small import TEXTS, byte_level
from made_up import text
from psyllm.core.errors import BadCheckpoint, EmptyCorpus
from psyllm.lm.template import END, SPECIAL_TOKENS, VISITOR
from psyllm.lm.tokenizer import Tokenizer, read_tokenizer, tokenizer_hash, train_tokenizer

SOME = train_tokenizer(TEXTS, 600)


FOREIGN = Tokenizer(byte_level())
FOREIGN.add_marks()


@given(st.text())
def test_any_text_comes_back(words):
    assert SOME.decode(SOME.encode(words)) == words
    assert FOREIGN.decode(FOREIGN.encode(words)) == words


@pytest.mark.parametrize("words", ["<|end|>", "<0x41>", "a\x00\r\n\t　", "🤔👨‍👩‍👧", "\ufffd", "  两  格  "])
def test_awkward_texts_come_back(words):
    assert SOME.decode(SOME.encode(words)) == words


@given(st.text(alphabet="<|>endvisitorpadcounsellor", max_size=30), st.sampled_from(SPECIAL_TOKENS))
def test_a_mark_never_comes_out_of_typed_text(words, mark):
    for tokenizer in (SOME, FOREIGN):
        marks = {tokenizer.mark(token) for token in SPECIAL_TOKENS}
        assert not marks & set(tokenizer.encode(words + mark + words))


def test_many_texts_are_encoded_as_one_by_one():
    texts = ["<|end|>", *TEXTS[:2], ""]
    assert SOME.encode_many(texts) == [SOME.encode(one) for one in texts]


def test_marks_are_left_out_of_decoded_text():
    assert SOME.decode([SOME.mark(VISITOR), *SOME.encode("心理"), SOME.mark(END)]) == "心理"


def test_pieces_are_at_most_four_characters_and_digits_and_punctuation_stand_apart():
    pieces = [SOME.decode([number]) for number in range(len(SPECIAL_TOKENS) + 256, SOME.size)]
    assert max(map(len, pieces)) == 4
    assert "心理咨询" in pieces
    mixed = [
        piece for piece in pieces if len(piece) > 1 and any(mark in piece for mark in "0123456789，。：")
    ]
    assert not mixed


def test_a_common_word_is_one_piece_and_an_unseen_character_is_bytes():
    assert len(SOME.encode("心理咨询")) == 1
    assert len(SOME.encode("魑")) == 3


def test_the_vocabulary_keeps_to_its_size():
    chance = random.Random(3)
    texts = [text(chance) for _ in range(200)]
    assert train_tokenizer(texts, 512).size == 512
    assert train_tokenizer(["一"], 100).size <= 277


def test_training_is_the_same_in_every_process():
    code = (
        "import random,hashlib;from made_up import text;from psyllm.lm.tokenizer import train_tokenizer;"
        "c=random.Random(1);t=[text(c) for _ in range(300)];"
        "print(hashlib.sha256(train_tokenizer(t,700).to_text().encode()).hexdigest())"
    )
    found = set()
    for seed in ("1", "2", "3"):
        environment = {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_no_text_is_refused():
    with pytest.raises(EmptyCorpus):
        train_tokenizer(["", ""], 500)


def test_a_folder_without_a_tokenizer_or_with_a_broken_one_is_refused(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"no tokenizer\.json"):
        read_tokenizer(tmp_path)
    assert tokenizer_hash(tmp_path) == ""
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(BadCheckpoint, match="is not a tokenizer"):
        read_tokenizer(tmp_path)


def test_a_saved_tokenizer_is_the_same(tmp_path):
    SOME.save(tmp_path)
    again = read_tokenizer(tmp_path)
    assert again.to_text() == SOME.to_text()
    assert again.encode("心理咨询<|end|>") == SOME.encode("心理咨询<|end|>")


def test_a_foreign_tokenizer_gets_the_marks_it_lacks():
    foreign = Tokenizer(byte_level())
    with pytest.raises(BadCheckpoint, match=r"no piece <\|end\|>"):
        foreign.mark(END)
    before = foreign.size
    assert foreign.add_marks() == len(SPECIAL_TOKENS)
    assert foreign.add_marks() == 0
    assert foreign.size == before + len(SPECIAL_TOKENS)
    assert foreign.decode([foreign.mark(END)]) == ""
