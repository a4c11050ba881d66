"""A model is spoken to as its publisher fine-tuned it, and nobody can type a mark."""

import datetime as dt
import json
import re
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils import chat_template_utils

from lm.published import ENDOFTEXT, PLAIN_TEMPLATE, THINKING_TEMPLATE, TYPED, learnt, qwen_folder, spelt, talk
from lm.small import KINDS
from psyllm.core.errors import BadCheckpoint, BadSetting
from psyllm.lm.checkpoint import load_base
from psyllm.lm.template import (
    END,
    NOT_LEARNT,
    SPECIAL_TOKENS,
    Message,
    encode_prompt,
    encode_text,
    encode_training,
)
from psyllm.lm.tokenizer import read_tokenizer

WORDS = st.lists(st.sampled_from([*TYPED, "我", "累", "\n", " ", "<|", "|>", "今天"]), max_size=8).map(
    "".join
)


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


def test_a_template_that_asks_for_the_date_reads_the_same_every_day(tmp_path, monkeypatch):
    """As Llama 3's: what was trained in July is asked for in August with the same words."""
    dated = PLAIN_TEMPLATE.replace(
        "'<|im_start|>system\\nHelp.", "'<|im_start|>system\\n' + strftime_now('%d %b %Y') + '"
    )
    assert dated != PLAIN_TEMPLATE
    qwen_folder(tmp_path / "dated", dated)
    wordings = []
    for day in (dt.datetime(2026, 7, 31, tzinfo=dt.UTC), dt.datetime(2026, 8, 1, tzinfo=dt.UTC)):
        monkeypatch.setattr(chat_template_utils, "datetime", types.SimpleNamespace(now=lambda day=day: day))
        wordings.append(read_tokenizer(tmp_path / "dated").wording)
    assert wordings[0] == wordings[1]
    assert wordings[0].first.startswith("<|im_start|>system\n01 Jan 2025<|im_end|>")


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


def test_an_own_template_on_top_of_turns_is_kept_and_another_can_be_wished_for(folders):
    assert read_tokenizer(folders / "turns").wording.family == "turns"
    with pytest.raises(BadCheckpoint, match="template pangu needs <s>"):
        read_tokenizer(folders / "turns", "pangu")
    with pytest.raises(BadCheckpoint, match="no chat template") as caught:
        read_tokenizer(folders / "wenzhong", "chat")
    assert "train.template=turns" in caught.value.next_step


REFUSED = {
    "{{ messages[0].content }}": "leaves out or changes",
    "{%- for m in messages -%}{{ m.content | upper | replace('。', '.') }}<|im_end|>{%- endfor -%}": "leaves out or changes",
    "{{ raise_exception('no') }}": "fails on a plain dialogue: TemplateError",
    "{{ messages": "fails on a plain dialogue: TemplateSyntaxError",
    THINKING_TEMPLATE.replace("enable_thinking is false", "enable_thinking is none").replace(
        "{{- '<|im_start|>assistant\\n' -}}", "{{- '<|im_start|>assistant\\n<think>\\n' -}}"
    ): "is not the beginning of what it learns from",
    "{%- for m in messages -%}{{ m.role + ':' + m.content + '\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'assistant:' }}{%- endif -%}": "ends an answer with no mark",
    # only the next question ends an answer
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\\n' + m.content }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}": "ends an answer with no mark",
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


def test_the_marks_of_every_family_have_ids(tokenizers, kind):
    tokenizer = tokenizers[kind]
    assert re.fullmatch(r"[a-z]+-1", tokenizer.wording.version)
    assert tokenizer.frame.end == [tokenizer.mark(END)]
    if kind != "turns":
        with pytest.raises(BadCheckpoint, match="no piece"):
            tokenizer.mark(SPECIAL_TOKENS[2])
