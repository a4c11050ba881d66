"""What other programs are told to ask is what our own service asks, id for id, in every family: in GGUF and in folders."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as FilePieces
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from lm.published import THINKING_TEMPLATE, qwen_folder, talk, wenzhong_folder
from lm.small import KINDS, SHAPE, TEXTS
from lm.small_bases import write_base
from lm.test_gguf import as_llama_cpp_joins, field, read
from paper_shapes import bases
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.checkpoint import build, load_base, save
from psyllm.lm.dialogue_form import dialogue_form
from psyllm.lm.export import export
from psyllm.lm.gguf_tokens import CUTS, Kind, Pieces
from psyllm.lm.template import END, Message, encode_prompt, encode_text
from psyllm.lm.tokenizer import read_tokenizer, train_tokenizer
from psyllm.lm.wording import Wording

ROLES = {"visitor": "user", "counsellor": "assistant"}
# As people write: in Wenzhong nothing but words keeps the wording's text and theirs apart.
WORDS = st.lists(st.sampled_from("我你累睡不好今天心理咨询？，。 2a"), min_size=1, max_size=8).map(
    lambda found: "我" + "".join(found) + "。"
)
DIALOGUES = st.lists(st.builds(Message, st.sampled_from(["visitor", "counsellor"]), WORDS), max_size=7)
TALKS = {
    "one question": talk("我最近总是睡不好，怎么办？"),
    "many turns": talk("我最近总是睡不好，怎么办？", "听起来你很辛苦。", "是的", "慢慢来。", "嗯，好"),
    "a counsellor first": [Message("counsellor", "你好，今天想聊什么？"), *talk("我累", "好的", "今天")],
    "two of each in a row": [*talk("我累")] * 2
    + [Message("counsellor", "好的")] * 2
    + talk("今天", "嗯", "好"),
    "nothing after the answer": talk("我累", "好的"),
    "nobody asks": [Message("counsellor", "好的")],
    "nobody speaks": [],
}


def rendered(form, messages, *, asks=True, **more):
    """What transformers' sandbox, in which blocks are trimmed as in llama.cpp, makes of messages."""
    said = [{"role": ROLES.get(message.role, message.role), "content": message.text} for message in messages]
    template = chat_template_utils._compile_jinja_template(form)
    return template.render(messages=said, add_generation_prompt=asks, **more)


@pytest.fixture(scope="module")
def every_tokenizer(tokenizers, tmp_path_factory):
    """A tokenizer of every family."""
    root = tmp_path_factory.mktemp("bases")
    bases(root)
    return {**tokenizers, "pangu": read_tokenizer(root / "pangu-350m")}


FAMILIES = (*KINDS, "pangu")


@pytest.mark.parametrize("talk_name", TALKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_template_asks_as_our_own_service_does(family, talk_name, every_tokenizer):
    tokenizer, messages = every_tokenizer[family], TALKS[talk_name]
    form = dialogue_form(tokenizer.wording)
    codec = tokenizer._codec
    assert codec.encode_whole(rendered(form, messages)) == encode_prompt(tokenizer, messages, 10_000)
    assert codec.encode_whole(rendered(form, messages, asks=False)) == encode_text(tokenizer, messages)


@given(DIALOGUES)
def test_any_dialogue_is_asked_as_our_own_service_does(every_tokenizer, messages):
    for family in FAMILIES:
        tokenizer = every_tokenizer[family]
        form = dialogue_form(tokenizer.wording)
        found = tokenizer._codec.encode_whole(rendered(form, messages))
        assert found == encode_prompt(tokenizer, messages, 10_000), family


def test_words_that_nobody_was_trained_with_are_left_out(tokenizers):
    wording = tokenizers["thinking"].wording
    messages = [Message("system", "你是医生"), *talk("我累", "好的"), Message("tool", "1"), *talk("嗯")]
    plain = [message for message in messages if message.role in ROLES]
    for asks in (True, False):
        form = dialogue_form(wording)
        assert rendered(form, messages, asks=asks) == rendered(form, plain, asks=asks)


def test_thinking_stays_off_whatever_the_other_program_asks_for(tokenizers):
    form = dialogue_form(tokenizers["thinking"].wording)
    for asked in ({}, {"enable_thinking": True}, {"thinking": True}):
        text = rendered(form, talk("我累"), **asked)
        assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


AWKWARD = st.text(st.sampled_from("'\"\\\n\r\t{}%# n我-") | st.characters(codec="utf-8"), max_size=9)


@given(AWKWARD, AWKWARD, AWKWARD)
def test_whatever_stands_in_a_wording_comes_out_of_the_template(one, two, three):
    wording = Wording(
        family="chat",
        first=one,
        following=two,
        again=three,
        unasked=one,
        answer=two,
        past_answer=three,
        end="<|end|>",
    )
    text = rendered(dialogue_form(wording), talk("甲", "乙", "丙"))
    assert text == f"{one}甲{three}乙<|end|>{two}丙{two}"


class AsLlamaCpp:
    """The tokenizer in a GGUF file, as llama.cpp reads it: marks are found first, then each text between them is cut."""

    def __init__(self, folder):
        reader = read(folder)
        self.texts = field(reader, "tokenizer.ggml.tokens")
        self.kinds = [Kind(kind) for kind in field(reader, "tokenizer.ggml.token_type")]
        self.form = field(reader, "tokenizer.chat_template")
        self.end = field(reader, "tokenizer.ggml.eos_token_id")
        make, cut = (field(reader, f"tokenizer.ggml.{name}") for name in ("model", "pre"))
        if make == "llama":
            scores = field(reader, "tokenizer.ggml.scores")
            pieces = Pieces(make, "", self.texts, self.kinds, scores=scores)
            self._words = lambda text: as_llama_cpp_joins(pieces, text)
        else:
            merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
            self._words = lambda text: bpe.encode(text).ids
            bpe = FilePieces(models.BPE({text: number for number, text in enumerate(self.texts)}, merges))
            bpe.pre_tokenizer, bpe.decoder = cutter(cut), decoders.ByteLevel()

    def encode(self, text):
        marks = {
            text: number
            for number, text in enumerate(self.texts)
            if self.kinds[number] in {Kind.CONTROL, Kind.USER_DEFINED}
        }
        longest = sorted(marks, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, longest))})", text)
        return [
            number
            for part in parts
            if part
            for number in ([marks[part]] if part in marks else self._words(part))
        ]


def cutter(name):
    pattern = next(pattern for pattern, known in CUTS.items() if known == name)
    if not pattern:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def qwen_as_published(folder, template):
    """Write a Qwen3 whose tokenizer cuts as the real one; its template lies in tokenizer_config.json."""
    qwen_folder(folder, template)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": next(p for p in CUTS if p)}
    path.write_text(json.dumps(content))


def ours(folder, _root):
    tokenizer = train_tokenizer(TEXTS, SHAPE.vocabulary)
    save(folder, build(SHAPE, tokenizer, seed=1), tokenizer, context_tokens=96)


def our_marks_on_a_chat_model(folder, root):
    qwen_as_published(root / "base", THINKING_TEMPLATE)
    model, tokenizer = load_base(root / "base", "turns")
    save(folder, model, tokenizer, context_tokens=96)


def trained_chat(folder, root):
    qwen_as_published(root / "base", THINKING_TEMPLATE)
    model, tokenizer = load_base(root / "base")
    save(folder, model, tokenizer, context_tokens=96)


def trained_chat_with_a_file(folder, root):
    trained_chat(folder, root)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "chat_template.jinja").write_text(settings.pop("chat_template"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def published_chat(folder, _root):
    qwen_as_published(folder, THINKING_TEMPLATE)
    config = json.loads((folder / "config.json").read_text())
    config["eos_token_id"] = config["bos_token_id"]  # as Qwen2.5's: the end of a text
    (folder / "config.json").write_text(json.dumps(config))


def trained_wenzhong(folder, root):
    wenzhong_folder(root / "base")
    model, tokenizer = load_base(root / "base")
    save(folder, model, tokenizer, context_tokens=96)


MODELS = (
    ours,
    our_marks_on_a_chat_model,
    trained_chat,
    trained_chat_with_a_file,
    published_chat,
    trained_wenzhong,
)


@pytest.mark.parametrize("make", MODELS)
def test_a_file_read_as_llama_cpp_does_asks_with_the_ids_of_our_own_service(make, tmp_path):
    folder = tmp_path / "model"
    make(folder, tmp_path)
    export(folder, tmp_path / "out", "gguf", "fp16")
    theirs, tokenizer = AsLlamaCpp(tmp_path / "out"), read_tokenizer(folder)
    for name, messages in TALKS.items():
        found = theirs.encode(rendered(theirs.form, messages))
        assert found == encode_prompt(tokenizer, messages, 10_000), name
    assert theirs.end == tokenizer.mark(END)


@pytest.mark.parametrize("make", [make for make in MODELS if make is not published_chat])
def test_transformers_asks_an_exported_folder_with_the_ids_of_our_own_service(make, tmp_path):
    folder = tmp_path / "model"
    make(folder, tmp_path)
    export(folder, tmp_path / "out", "safetensors", "bf16")
    theirs, tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out"), read_tokenizer(folder)
    for name in ("one question", "many turns", "a counsellor first"):
        said = [{"role": ROLES[one.role], "content": one.text} for one in TALKS[name]]
        asked = theirs.apply_chat_template(said, add_generation_prompt=True)["input_ids"]
        assert asked == encode_prompt(tokenizer, TALKS[name], 10_000), name
    assert read_tokenizer(tmp_path / "out").wording == tokenizer.wording


def test_a_template_that_no_wording_can_be_read_from_stays_its_publishers(tmp_path):
    qwen_as_published(tmp_path / "odd", "{{ messages[0].content }}")
    export(tmp_path / "odd", tmp_path / "out", "gguf", "fp16")
    assert field(read(tmp_path / "out"), "tokenizer.chat_template") == "{{ messages[0].content }}"


def test_a_model_that_nobody_spoke_to_gets_no_template(tmp_path):
    write_base(tmp_path / "base", "gpt2")
    export(tmp_path / "base", tmp_path / "out", "gguf", "fp16")
    assert read(tmp_path / "out").get_field("tokenizer.chat_template") is None


def test_a_card_of_another_versions_template_is_not_guessed_at(tmp_path):
    trained_wenzhong(tmp_path / "model", tmp_path)
    card = json.loads((tmp_path / "model" / "psyllm.json").read_text())
    (tmp_path / "model" / "psyllm.json").write_text(json.dumps(card | {"template_version": "wenzhong-9"}))
    with pytest.raises(BadCheckpoint, match="trained with template wenzhong-9"):
        export(tmp_path / "model", tmp_path / "out", "gguf", "fp16")
