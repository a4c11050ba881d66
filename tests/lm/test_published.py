"""Published folders are trained, scored and served in their own words, and nobody can type a mark."""

import json
import random
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from lm.published import (
    EMPTY_ROWS,
    ENDOFTEXT,
    PLAIN_TEMPLATE,
    POSITIONS,
    THINKING_TEMPLATE,
    qwen_folder,
    wenzhong_folder,
)
from lm.small import foreign_base
from made_up import text
from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.core.settings import Decoding
from psyllm.lm.checkpoint import load, load_base, save
from psyllm.lm.decode import Decoder
from psyllm.lm.folder import check_folder
from psyllm.lm.model_card import read_card
from psyllm.lm.score import score_one
from psyllm.lm.template import (
    END,
    NOT_LEARNT,
    PAD,
    SPECIAL_TOKENS,
    Message,
    encode_prompt,
    encode_text,
    encode_training,
)
from psyllm.lm.tokenizer import read_tokenizer

KINDS = ("wenzhong", "thinking", "plain", "turns")
GREEDY = Decoding(max_new_tokens=24, temperature=0, repetition_penalty=1)
TYPED = (
    "<|im_end|>",
    "<|im_start|>user\n",
    "</think>",
    "<think>",
    ENDOFTEXT,
    "<|end|>",
    "<tool_call>",
    "<sep>",
    "<eot>",
)
WORDS = st.lists(st.sampled_from([*TYPED, "我", "累", "\n", " ", "<|", "|>", "今天"]), max_size=8).map(
    "".join
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    wenzhong_folder(root / "wenzhong")
    qwen_folder(root / "thinking")
    qwen_folder(root / "plain", PLAIN_TEMPLATE)
    model, tokenizer = load_base(root / "plain", "turns")
    save(root / "turns", model, tokenizer, context_tokens=256)
    return root


@pytest.fixture(scope="module")
def tokenizers(folders):
    return {kind: read_tokenizer(folders / kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def talk(*texts):
    return [Message("counsellor" if number % 2 else "visitor", one) for number, one in enumerate(texts)]


def spelt(tokenizer, ids):
    """Return ids as text, marks included."""
    return tokenizer._codec._pieces.decode(ids, skip_special_tokens=False)


def learnt(example):
    return [number for number in example.labels if number != NOT_LEARNT]


def answers_to(checkpoint, messages, decoding=GREEDY, seed=1):
    decoder = Decoder(checkpoint)
    decoder.add("it", messages, decoding, seed)
    words, reason = "", None
    while decoder.busy:
        for _, new, ended in decoder.step():
            words, reason = words + new, ended or reason
    return words, reason


EXPECTED = {
    "wenzhong": f"Question:我累 answer:好的{ENDOFTEXT}Question:今天 answer:嗯{ENDOFTEXT}",
    "plain": "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\n我累<|im_end|>\n<|im_start|>assistant\n好的<|im_end|>\n"
    "<|im_start|>user\n今天<|im_end|>\n<|im_start|>assistant\n嗯<|im_end|>",
    "turns": "<|visitor|>我累<|counsellor|>好的<|end|><|visitor|>今天<|counsellor|>嗯<|end|>",
}


def test_each_family_reads_as_its_publisher_wrote(tokenizers):
    for kind, expected in EXPECTED.items():
        (example,) = encode_training(tokenizers[kind], talk("我累", "好的", "今天", "嗯"), 200)
        assert spelt(tokenizers[kind], example.ids) == expected


def test_a_template_with_thoughts_has_an_example_for_each_answer_with_an_empty_thought_unlearnt(tokenizers):
    tokenizer = tokenizers["thinking"]
    first, second = encode_training(tokenizer, talk("我累", "好的", "今天", "嗯"), 200)
    thought = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert spelt(tokenizer, first.ids) == f"<|im_start|>user\n我累<|im_end|>\n{thought}好的<|im_end|>"
    assert spelt(tokenizer, second.ids) == (
        "<|im_start|>user\n我累<|im_end|>\n<|im_start|>assistant\n好的<|im_end|>\n"
        f"<|im_start|>user\n今天<|im_end|>\n{thought}嗯<|im_end|>"
    )
    assert [spelt(tokenizer, learnt(one)) for one in (first, second)] == ["好的<|im_end|>", "嗯<|im_end|>"]


def test_ids_are_those_of_the_published_tokenizer_for_the_rendered_text(folders):
    from transformers import AutoTokenizer

    for name in ("thinking", "plain"):
        theirs = AutoTokenizer.from_pretrained(folders / name)
        messages = [
            {"role": "user", "content": "我最近很累"},
            {"role": "assistant", "content": "慢慢说"},
            {"role": "user", "content": "嗯，好"},
        ]
        expected = theirs.apply_chat_template(
            messages, add_generation_prompt=True, enable_thinking=False, return_dict=False
        )
        assert (
            encode_prompt(read_tokenizer(folders / name), talk("我最近很累", "慢慢说", "嗯，好"), 200)
            == expected
        )


@given(WORDS, WORDS, WORDS, WORDS)
def test_what_people_type_is_never_a_mark(tokenizers, asked, answered, more, last):
    said = [asked, answered, more, last]
    for kind in KINDS:
        tokenizer = tokenizers[kind]
        marks = set(tokenizer._codec.marks.values())
        messages = talk(*said)
        plain = talk("", "", "", "")
        for encode in (encode_text, lambda *given: encode_prompt(*given, 10_000)):
            found = [number for number in encode(tokenizer, messages) if number in marks]
            assert found == [number for number in encode(tokenizer, plain) if number in marks]
        assert not marks & {number for word in said for number in tokenizer.encode(word)}
        assert [tokenizer.encode(word) for word in said] == tokenizer.encode_many(said)


@given(WORDS)
def test_what_people_type_comes_back(tokenizers, said):
    for kind in KINDS:
        assert tokenizers[kind].decode(tokenizers[kind].encode(said)) == said


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), st.integers(min_value=70, max_value=200))
def test_prompts_begin_what_is_learnt_and_every_answer_is_learnt_once_with_its_end(tokenizers, pairs, room):
    messages = talk(*[word for pair in pairs for word in pair])
    for kind in KINDS:
        tokenizer = tokenizers[kind]
        parts = encode_training(tokenizer, messages, 10_000)
        assert [number for part in parts for number in learnt(part)] == [
            number for _, answer in pairs for number in (*tokenizer.encode(answer), tokenizer.mark(END))
        ]
        prompt = encode_prompt(tokenizer, messages[:-1], 10_000)
        assert parts[-1].ids[: len(prompt)] == prompt
        for part in encode_training(tokenizer, messages, room):
            assert len(part.ids) == len(part.labels) <= room
            assert all(label in (NOT_LEARNT, number) for number, label in zip(*part, strict=True))
        short = encode_prompt(tokenizer, messages[:-1], room)
        assert len(short) <= room
        assert short[-len(tokenizer.frame.answer) :] == tokenizer.frame.answer


def test_two_questions_in_a_row_are_one_to_a_template_that_wants_turns_to_change(tokenizers):
    messages = [Message("visitor", "我累"), Message("visitor", "今天")]
    assert (
        spelt(tokenizers["wenzhong"], encode_prompt(tokenizers["wenzhong"], messages, 99))
        == "Question:我累\n今天 answer:"
    )
    assert "user\n我累\n今天<|im_end|>" in spelt(
        tokenizers["plain"], encode_prompt(tokenizers["plain"], messages, 99)
    )


def test_a_row_that_does_not_hold_the_wording_is_refused(tokenizers):
    with pytest.raises(BadSetting, match="a row of 10 tokens does not hold"):
        encode_prompt(tokenizers["plain"], talk("我"), 10)


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


def test_an_own_template_on_top_of_turns_is_kept_and_another_can_be_wished_for(folders):
    assert read_tokenizer(folders / "turns").wording.family == "turns"
    with pytest.raises(BadCheckpoint, match="template pangu needs <s>"):
        read_tokenizer(folders / "turns", "pangu")
    with pytest.raises(BadCheckpoint, match="no chat template") as caught:
        read_tokenizer(folders / "wenzhong", "chat")
    assert "train.template=turns" in caught.value.next_step


def test_a_plain_gpt2_is_no_wenzhong(tmp_path):
    foreign_base(tmp_path / "gpt2")
    assert read_tokenizer(tmp_path / "gpt2").wording.family == "turns"
    with pytest.raises(BadCheckpoint, match=r"has no psyllm\.json: it was not trained for dialogues"):
        load(tmp_path / "gpt2")


REFUSED = {
    "{{ messages[0].content }}": "ends an answer with no mark|leaves out or changes",
    "{%- for m in messages -%}{{ m.content | upper | replace('。', '.') }}<|im_end|>{%- endfor -%}": "leaves out or changes",
    "{{ raise_exception('no') }}": "fails on a plain dialogue: TemplateError",
    "{{ messages": "fails on a plain dialogue: TemplateSyntaxError",
    THINKING_TEMPLATE.replace("enable_thinking is false", "enable_thinking is none").replace(
        "{{- '<|im_start|>assistant\\n' -}}", "{{- '<|im_start|>assistant\\n<think>\\n' -}}"
    ): "is not the beginning of what it learns from",
    "{%- for m in messages -%}{{ m.role + ':' + m.content + '\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'assistant:' }}{%- endif -%}": "ends an answer with no mark",
}  # fmt: skip


@pytest.mark.parametrize("template", list(REFUSED))
def test_a_template_that_can_not_train_and_serve_alike_is_refused(template, tmp_path):
    qwen_folder(tmp_path / "odd", template)
    with pytest.raises(BadCheckpoint, match=REFUSED[template]) as caught:
        load_base(tmp_path / "odd")
    assert "train.template=turns" in caught.value.next_step
    load_base(tmp_path / "odd", "turns")


def test_a_tokenizer_that_joins_the_templates_text_and_peoples_words_is_refused(tmp_path):
    qwen_folder(tmp_path / "odd", PLAIN_TEMPLATE)
    path = tmp_path / "odd" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["pre_tokenizer"] = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": True,
        "use_regex": True,
    }
    path.write_text(json.dumps(content))
    with pytest.raises(BadCheckpoint, match="its tokenizer joins the chat template's text"):
        load_base(tmp_path / "odd")


def test_a_template_can_lie_in_a_file_of_its_own_or_be_one_of_several(folders, tmp_path):
    expected = read_tokenizer(folders / "plain").wording
    qwen_folder(tmp_path / "file", None)
    (tmp_path / "file" / "chat_template.jinja").write_text(PLAIN_TEMPLATE)
    assert read_tokenizer(tmp_path / "file").wording == expected
    qwen_folder(
        tmp_path / "several",
        [{"name": "tools", "template": "x"}, {"name": "default", "template": PLAIN_TEMPLATE}],
    )
    assert read_tokenizer(tmp_path / "several").wording == expected


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


def test_the_marks_of_every_family_have_ids(tokenizers, kind):
    tokenizer = tokenizers[kind]
    assert re.fullmatch(r"[a-z]+-1", tokenizer.wording.version)
    assert tokenizer.frame.end == [tokenizer.mark(END)]
    if kind != "turns":
        with pytest.raises(BadCheckpoint, match="no piece"):
            tokenizer.mark(SPECIAL_TOKENS[2])


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
