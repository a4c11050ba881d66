"""PanGu is spoken to as it was fine-tuned, with its real vocabulary; its answers lose their blanks and marks."""

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.settings import Decoding
from psyllm.lm.checkpoint import load, load_base, quiet_transformers, save
from psyllm.lm.decode import Decoder
from psyllm.lm.drawing import Speaker
from psyllm.lm.folder import check_folder
from psyllm.lm.score import score_one
from psyllm.lm.template import END, NOT_LEARNT, PAD, Message, encode_prompt, encode_training
from psyllm.lm.tokenizer import read_tokenizer

START, NEWLINE, SEP, PADDING, EOT = 1, 3, 5, 6, 9
TALK = [
    Message("visitor", "我最近总是睡不好，怎么办？"),
    Message("counsellor", "听起来你很辛苦。"),
    Message("visitor", "是的"),
    Message("counsellor", "慢慢来。"),
]
TYPED = ("<sep>", "<eot>", "<s>", "</s>", "<pad>", "<unk>", "<mask>", "<eod>")


@pytest.fixture(scope="module")
def folder(outside_data, tmp_path_factory):
    """A PanGu of random weights in the layout of the published 350M: vocab.model, no card, no end named."""
    from psyllm.lm.pangu_config import GPTPanguConfig
    from psyllm.lm.pangu_model import GPTPanguForCausalLM

    folder = tmp_path_factory.mktemp("pangu") / "published"
    torch.manual_seed(6)
    config = GPTPanguConfig(
        vocab_size=40064, hidden_size=16, num_layers=2, num_heads=2, max_position_embeddings=128
    )
    with quiet_transformers():
        GPTPanguForCausalLM(config).half().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    written = json.loads((folder / "config.json").read_text())
    for name in ("eos_token_id", "bos_token_id", "dtype"):
        written.pop(name, None)
    (folder / "config.json").write_text(json.dumps(written))
    shutil.copy(outside_data / "pangu" / "vocab.model", folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return read_tokenizer(folder)


def test_a_question_reads_as_the_publishers_fine_tuning_wrote_it(tokenizer):
    theirs = tokenizer._codec._tokenizer
    (example,) = encode_training(tokenizer, TALK[:2], 100)
    plain = theirs(TALK[0].text, add_special_tokens=False)["input_ids"]
    answer = theirs("回答：" + TALK[1].text, add_special_tokens=False)["input_ids"]
    assert example.ids == [START, *plain, SEP, *answer, EOT]
    learnt = [number for number in example.labels if number != NOT_LEARNT]
    assert learnt == [*theirs(TALK[1].text, add_special_tokens=False)["input_ids"], EOT]


def test_a_dialogue_goes_on_after_the_end_of_an_answer(tokenizer):
    (example,) = encode_training(tokenizer, TALK, 100)
    marks = [number for number in example.ids if number in {START, SEP, EOT}]
    assert marks == [START, SEP, EOT, SEP, EOT]
    assert (
        encode_prompt(tokenizer, TALK[:3], 100)
        == example.ids[: len(example.ids) - len(tokenizer.encode("慢慢来。")) - 1]
    )


def test_two_questions_in_a_row_have_a_new_line_between(tokenizer):
    ids = encode_prompt(tokenizer, [Message("visitor", "我累"), Message("visitor", "今天")], 100)
    assert [number for number in ids if number in {START, NEWLINE, SEP}] == [START, NEWLINE, SEP]


@given(
    st.lists(
        st.sampled_from([*TYPED, "我", "，", "睡不好", " ", "\n", "a", "\uff1csep\uff1e", "回答："]),
        max_size=8,
    ).map("".join)
)
def test_what_people_type_is_never_a_mark(tokenizer, words):
    found = set(tokenizer.encode(words))
    assert not found & {1, 2, 5, 6, 7, 8, 9}
    ids = encode_prompt(tokenizer, [Message("visitor", words)], 10_000)
    assert [number for number in ids if number in {1, 2, 5, 6, 7, 8, 9}] == [START, SEP]


def test_ids_that_are_no_words_are_never_drawn(tokenizer):
    silent = tokenizer.silent(40064)
    assert silent == [0, 1, 2, 5, 6, 7, 8, *range(40000, 40064)]
    assert tokenizer.ends == {EOT}
    assert (tokenizer.mark(END), tokenizer.mark(PAD)) == (EOT, PADDING)


def test_words_come_back_without_blanks_between_and_with_typed_blanks_and_lines(tokenizer):
    said = "听起来 你很辛苦。\n慢慢来"
    speaker = Speaker(tokenizer)
    shown = "".join(speaker.add(number) for number in tokenizer.encode(said))
    assert shown == said


def test_a_published_folder_is_scored_served_and_trained_on(folder, tmp_path):
    assert check_folder(folder).template_version == "pangu-1"
    checkpoint = load(folder)
    assert checkpoint.context_tokens == 128
    assert score_one(checkpoint, TALK).tokens == len(checkpoint.tokenizer.encode("慢慢来。")) + 1
    decoder = Decoder(checkpoint)
    decoder.add("it", TALK[:3], Decoding(max_new_tokens=8, temperature=1, top_p=1), 1)
    words = ""
    while decoder.busy:
        words += "".join(one.text for one in decoder.step())
    assert "▃" not in words
    assert "⁇" not in words
    model, tokenizer = load_base(folder)
    save(tmp_path / "model", model, tokenizer, context_tokens=64)
    again = load(tmp_path / "model")
    assert encode_prompt(again.tokenizer, TALK[:3], 60) == encode_prompt(tokenizer, TALK[:3], 60)
    assert (again.model.config.eos_token_id, again.model.config.pad_token_id) == (EOT, PADDING)
    assert (again.model.generation_config.eos_token_id, again.model.generation_config.pad_token_id) == (
        EOT,
        PADDING,
    )


def test_greedy_answers_are_those_of_transformers(folder):
    checkpoint = load(folder)
    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    prompt = encode_prompt(tokenizer, TALK[:1], 90)
    with torch.no_grad():
        ids = model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=12,
            do_sample=False,
            use_cache=True,
            eos_token_id=EOT,
            pad_token_id=PADDING,
            suppress_tokens=tokenizer.silent(40064),
        )[0, len(prompt) :].tolist()
    decoder = Decoder(checkpoint)
    decoder.add("it", TALK[:1], Decoding(max_new_tokens=12, temperature=0, repetition_penalty=1), 1)
    words = ""
    while decoder.busy:
        words += "".join(one.text for one in decoder.step())
    assert words == tokenizer.decode([number for number in ids if number != EOT])


def test_our_own_marks_can_be_wished_for(folder, tmp_path):
    model, tokenizer = load_base(folder, "turns")
    assert tokenizer.size == 40004
    assert model.config.vocab_size == 40064
    save(tmp_path / "model", model, tokenizer, context_tokens=64)
    again = load(tmp_path / "model")
    assert again.card.template_version == "turns-1"
    assert encode_prompt(again.tokenizer, TALK[:3], 60) == encode_prompt(tokenizer, TALK[:3], 60)
