"""Published folders load with their traps, and are scored, served and saved in their own words."""

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lm.published import (
    EMPTY_ROWS,
    ENDOFTEXT,
    POSITIONS,
    TYPED,
    answers_to,
    qwen_folder,
    talk,
)
from lm.small import KINDS, foreign_base
from made_up import text
from psyllm.core.errors import BadCheckpoint
from psyllm.core.settings import Decoding
from psyllm.lm.checkpoint import load, load_base, save
from psyllm.lm.folder import check_folder
from psyllm.lm.model_card import read_card
from psyllm.lm.score import score_one
from psyllm.lm.template import (
    END,
    PAD,
    encode_prompt,
    encode_training,
)
from psyllm.lm.tokenizer import read_tokenizer


def test_the_end_is_learnt_and_is_not_the_padding(folders, kind, tmp_path):
    model, tokenizer = load_base(folders / kind)
    assert tokenizer.mark(END) != tokenizer.mark(PAD)
    save(tmp_path / "model", model, tokenizer, context_tokens=96)
    again = load(tmp_path / "model")
    for where in (again.model.config, again.model.generation_config):
        assert (where.eos_token_id, where.pad_token_id) == (tokenizer.mark(END), tokenizer.mark(PAD))
    (example,) = encode_training(tokenizer, talk("我累", "好的"), 96)
    assert example.labels[-1] == tokenizer.mark(END)


def test_what_is_saved_speaks_as_its_base(folders, kind, tmp_path):
    model, tokenizer = load_base(folders / kind)
    save(tmp_path / "model", model, tokenizer, context_tokens=96, lineage={"run": "r"})
    again = load(tmp_path / "model")
    messages = talk("我最近<|im_end|>很累", "好的", "嗯")
    assert encode_prompt(again.tokenizer, messages, 90) == encode_prompt(tokenizer, messages, 90)
    assert (again.tokenizer.wording, again.tokenizer.ends) == (tokenizer.wording, tokenizer.ends)
    assert (again.context_tokens, again.card.lineage) == (96, {"run": "r"})
    asked, answered = again.model, model
    ids = torch.tensor([encode_prompt(tokenizer, messages, 90)])
    with torch.no_grad():
        assert torch.equal(asked(ids, use_cache=False).logits, answered.eval()(ids, use_cache=False).logits)


def test_a_chat_models_card_keeps_the_wording_whatever_happens_to_the_template(folders, tmp_path):
    model, tokenizer = load_base(folders / "thinking")
    save(tmp_path / "model", model, tokenizer, context_tokens=96)
    assert json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())["chat_template"]
    (tmp_path / "model" / "tokenizer_config.json").unlink()
    assert read_tokenizer(tmp_path / "model").wording == tokenizer.wording
    assert read_card(tmp_path / "model").template_version == "chat-1"


def test_a_published_model_is_scored_and_answers_without_a_card(folders, kind):
    checkpoint = load(folders / kind)
    if kind != "turns":
        assert read_card(folders / kind) is None
    found = score_one(checkpoint, talk("我累", "好的。"))
    assert (found.tokens, found.chars) == (len(checkpoint.tokenizer.encode("好的。")) + 1, 3)
    for seed in range(3):
        words, reason = answers_to(
            checkpoint, talk("我累"), Decoding(max_new_tokens=20, temperature=3, top_p=1), seed
        )
        assert reason in {"end", "length"}
        assert "\ufffd" not in words
        assert not any(mark in words for mark in TYPED)


def test_greedy_answers_are_those_of_transformers(folders, kind):
    checkpoint = load(folders / kind)
    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    prompt = encode_prompt(tokenizer, talk("我最近很累"), 90)
    with torch.no_grad():
        ids = model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=24,
            do_sample=False,
            temperature=None,
            use_cache=True,
            eos_token_id=sorted(tokenizer.ends),
            pad_token_id=tokenizer.mark(PAD),
            suppress_tokens=tokenizer.silent(model.config.vocab_size),
        )[0, len(prompt) :].tolist()
    words = [number for number in ids if number not in tokenizer.ends]
    assert answers_to(checkpoint, talk("我最近很累"))[0] == tokenizer.decode(words).replace("\ufffd", "")


def test_rows_without_a_text_are_never_drawn(folders):
    checkpoint = load(folders / "wenzhong")
    rows = checkpoint.model.get_input_embeddings().weight.shape[0]
    silent = checkpoint.tokenizer.silent(rows)
    assert silent == list(range(rows - EMPTY_ROWS, rows))
    with torch.no_grad():  # however much the model wants them
        checkpoint.model.lm_head.weight[rows - EMPTY_ROWS :] *= 1e4
    words, _ = answers_to(checkpoint, talk("我累"))
    assert words == words.replace("\ufffd", "")


def test_both_of_a_chat_models_ends_end_an_answer_and_thoughts_are_never_drawn(folders):
    tokenizer = load(folders / "thinking").tokenizer
    marks = tokenizer._codec.marks
    assert tokenizer.ends == {marks["<|im_end|>"], marks[ENDOFTEXT]}
    assert {marks["<think>"], marks["</think>"], marks["<tool_call>"], marks["<|im_start|>"]} <= set(
        tokenizer.silent(tokenizer.size)
    )


def test_a_wenzhong_loads_as_published_and_gets_no_new_rows(folders):
    model, tokenizer = load_base(folders / "wenzhong")
    assert model.dtype == torch.float32
    assert model.config.vocab_size == tokenizer.size + EMPTY_ROWS
    assert tokenizer.mark(PAD) == tokenizer.size  # a row without a text
    assert check_folder(folders / "wenzhong").context_tokens == POSITIONS


def test_a_tokenizer_json_gives_the_same_ids_as_the_two_files(folders, tmp_path):
    tokenizer = read_tokenizer(folders / "wenzhong")
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text((folders / "wenzhong" / "config.json").read_text())
    again = read_tokenizer(tmp_path)
    for words in ("我累 abc <|endoftext|>", "  两  格\n", "🤔", "Question: answer:"):
        assert again.encode(words) == tokenizer.encode(words)


def test_our_own_marks_can_be_wished_for_on_any_base(folders, tmp_path):
    model, tokenizer = load_base(folders / "wenzhong", "turns")
    assert tokenizer.wording.family == "turns"
    assert model.config.vocab_size == tokenizer.size - 4 + EMPTY_ROWS  # the marks took rows that were empty
    weight = model.get_input_embeddings().weight
    known = weight[: tokenizer.size - 4].mean(0)
    assert torch.allclose(weight[tokenizer.mark(END)], known, atol=1e-6)
    save(tmp_path / "model", model, tokenizer, context_tokens=64)
    assert load(tmp_path / "model").card.template_version == "turns-1"


def test_a_plain_gpt2_is_no_wenzhong(tmp_path):
    foreign_base(tmp_path / "gpt2")
    assert read_tokenizer(tmp_path / "gpt2").wording.family == "turns"
    with pytest.raises(BadCheckpoint, match=r"has no psyllm\.json: it was not trained for dialogues"):
        load(tmp_path / "gpt2")


def test_a_type_that_would_need_code_of_its_own_is_refused(folders, tmp_path):
    qwen_folder(tmp_path / "odd")
    config = json.loads((tmp_path / "odd" / "config.json").read_text())
    code = {"AutoModelForCausalLM": "modeling_own.Own", "AutoConfig": "configuration_own.Own"}
    (tmp_path / "odd" / "config.json").write_text(
        json.dumps(config | {"model_type": "own", "auto_map": code})
    )
    (tmp_path / "odd" / "modeling_own.py").write_text("raise SystemExit")
    with pytest.raises(BadCheckpoint, match="is of the type own") as caught:
        load(tmp_path / "odd")
    assert "never run" in caught.value.next_step


def test_weights_of_another_shape_are_refused(folders, tmp_path):
    qwen_folder(tmp_path / "odd")
    save_file(
        {"model.norm.weight": torch.zeros(3)},
        tmp_path / "odd" / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors"):
        load(tmp_path / "odd")


def test_no_answer_shows_half_a_character_and_none_is_lost(folders):
    """Pieces of Wenzhong may end one character and begin the next."""
    from psyllm.lm.drawing import Speaker

    tokenizer = read_tokenizer(folders / "wenzhong")
    chance = random.Random(1)
    for _ in range(30):
        said = text(chance, 2) + "🤔"
        raw = said.encode()
        alphabet = {bytes_of(tokenizer, number): number for number in range(256)}
        ids = [alphabet[raw[place : place + 1]] for place in range(len(raw))]
        cut = chance.randint(1, len(ids))
        speaker = Speaker(tokenizer)
        shown = "".join(speaker.add(number) for number in ids[:cut])
        assert shown == raw[:cut].decode("utf-8", "ignore")


def bytes_of(tokenizer, number):
    """Return the byte of one of the 256 first pieces."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    back = {letter: byte for byte, letter in bytes_to_unicode().items()}
    return bytes([back[tokenizer._codec._pieces.id_to_token(number)]])


def test_what_is_never_drawn_is_taken_as_an_array():
    from psyllm.lm.drawing import draw

    logits = np.zeros(5, dtype=np.float32)
    decoding = Decoding(temperature=1, top_p=1, repetition_penalty=1)
    found = {
        draw(logits, decoding, (), np.array([0, 1, 2]), np.random.default_rng(seed)) for seed in range(40)
    }
    assert found == {3, 4}


def test_checking_a_published_folder_needs_no_torch(folders):
    import subprocess
    import sys

    code = (
        "import sys;from pathlib import Path;from psyllm.lm.folder import check_folder;"
        "[check_folder(Path(one)) for one in sys.argv[1:]];assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, *(str(folders / kind) for kind in KINDS)], check=True)


def test_a_card_that_names_more_tokens_than_positions_is_refused(folders, tmp_path):
    model, tokenizer = load_base(folders / "wenzhong")
    save(tmp_path / "model", model, tokenizer, context_tokens=POSITIONS + 1)
    with pytest.raises(
        BadCheckpoint, match=f"names {POSITIONS + 1} tokens, the model has {POSITIONS} positions"
    ):
        load(tmp_path / "model")


def test_the_engines_process_answers_from_a_published_folder(folders):
    import asyncio

    from psyllm.lm.engine import Engine

    async def ask():
        engine = await Engine.start(folders / "thinking", threads=1)
        await engine.ready()
        ticket = await engine.submit(talk("我累"), Decoding(max_new_tokens=12, temperature=2, top_p=1), 1)
        words = "".join([part async for part in engine.stream(ticket)])
        reason = engine.finish_reason(ticket)
        await engine.close()
        return words, reason

    words, reason = asyncio.run(ask())
    expected = answers_to(
        load(folders / "thinking"), talk("我累"), Decoding(max_new_tokens=12, temperature=2, top_p=1), 1
    )
    assert (words, reason) == expected
