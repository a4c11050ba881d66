"""The tokenizer gives the published ids, from every published kind of folder, quietly and without files elsewhere."""

import copy
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

import psyllm.lm.pangu
from lm.pangu_small import REMOTE, SIZES
from psyllm.core.errors import BadCheckpoint
from psyllm.lm.pangu_tokenizer import GPTPanguTokenizer

pytestmark = pytest.mark.outside_data

MARKS = {"eos_token": "<eot>", "unk_token": "<unk>", "sep_token": "<sep>", "pad_token": "<pad>"}
ASKS = {"auto_map": {"AutoTokenizer": REMOTE["AutoTokenizer"]}}
WITH_START = {**MARKS, **ASKS, "bos_token": "<s>", "tokenizer_class": "GPTPanguTokenizer"}
KINDS = {
    "none": None,
    "a name only": {**ASKS, "tokenizer_class": "GPTPanguTokenizer"},
    "with a start": WITH_START,
    "with a start, marks in full": {
        **WITH_START,
        "bos_token": {"__type": "AddedToken", "content": "<s>", "normalized": True},
        "add_prefix_space": False,
        "model_max_length": 1000000000000000019884624838656,
        "special_tokens_map_file": None,
        "name_or_path": "somewhere",
    },
}
ALL_KINDS = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
COMMON = "我你他的是了不在有这心里很难过开学校爸妈朋友睡眠工作考试压力医生帮助聊说想感觉今天明天为什么怎办"


@pytest.fixture(scope="module")
def data(outside_data):
    return outside_data / "pangu"


@pytest.fixture(scope="module")
def cases(data):
    return json.loads((data / "tokenizer_cases.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def plain(data):
    return GPTPanguTokenizer(str(data / "vocab.model"))


def folder_of(data, folder, kind, *, config=True):
    folder.mkdir(exist_ok=True)
    shutil.copyfile(data / "vocab.model", folder / "vocab.model")
    if config:
        text = json.dumps({**SIZES, "model_type": "gpt_pangu", "auto_map": REMOTE})
        (folder / "config.json").write_text(text, "utf-8")
    if kind is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(kind), "utf-8")
    return folder


def check_ids(tokenizer, cases, *, adds_marks):
    for row in cases["rows"]:
        text = row["text"]
        assert tokenizer.encode(text, add_special_tokens=False) == row["sun_patch"], text
        whole = row["sun_patch_with_specials" if adds_marks else "sun_patch"]
        assert tokenizer(text).input_ids == whole, text
        typed = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert typed == row["imone"] == row["sun"], text


@ALL_KINDS
def test_the_published_ids_of_all_texts_before_and_after_saving(kind, data, cases, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(folder_of(data, tmp_path / "there", kind))
    adds_marks = bool(kind) and "bos_token" in kind
    for _ in range(2):
        assert type(tokenizer) is psyllm.lm.pangu.GPTPanguTokenizer
        check_ids(tokenizer, cases, adds_marks=adds_marks)
        ids = (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.sep_token_id)
        assert ids == (9, 6, 0, 5)
        assert tokenizer.bos_token_id == (1 if adds_marks else None)
        assert len(tokenizer) == len(tokenizer.get_vocab()) == 40_000
        tokenizer.save_pretrained(tmp_path / "again")
        assert (tmp_path / "again" / "vocab.model").read_bytes() == (data / "vocab.model").read_bytes()
        assert "auto_map" not in (tmp_path / "again" / "tokenizer_config.json").read_text("utf-8")
        shutil.copyfile(tmp_path / "there" / "config.json", tmp_path / "again" / "config.json")
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "again")


def test_a_folder_with_nothing_but_the_vocabulary_and_its_settings_is_enough(data, cases, tmp_path):
    folder = folder_of(data, tmp_path, WITH_START, config=False)
    check_ids(AutoTokenizer.from_pretrained(folder), cases, adds_marks=True)


def test_pairs_are_joined_as_the_model_read_them(data, cases, plain, tmp_path):
    first, second = cases["pair"]["a"], cases["pair"]["b"]
    tokenizer = AutoTokenizer.from_pretrained(folder_of(data, tmp_path, WITH_START))
    found = tokenizer(first, second, return_special_tokens_mask=True)
    assert found.input_ids == cases["pair"]["ids"]
    assert set(found) == {"input_ids", "attention_mask", "special_tokens_mask"}
    marks = [int(number in {1, 5, 9}) for number in found.input_ids]
    assert found.special_tokens_mask == marks
    assert tokenizer.get_special_tokens_mask(found.input_ids, already_has_special_tokens=True) == marks
    joined = plain(first, second, return_special_tokens_mask=True)
    assert joined.input_ids == [*plain.encode(first), *plain.encode(second)]
    assert joined.special_tokens_mask == [0] * len(joined.input_ids)


def test_decoded_texts(data, cases, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(folder_of(data, tmp_path, WITH_START))
    for row in cases["rows"]:
        assert tokenizer.decode(row["imone"]) == row["imone_decoded"]
        assert tokenizer.decode(row["sun_patch"]) == row["sun_patch_decoded"]
        assert tokenizer.decode(row["sun_patch"], skip_special_tokens=True) == row["sun_patch_decoded_skip"]


def test_rows_are_padded_with_the_pad(plain):
    found = plain(["你好", "我很难过啊"], padding=True, padding_side="left")
    assert found.attention_mask[0] == [0] * found.attention_mask[0].count(0) + [1]
    assert set(found.input_ids[0][:-1]) == {6}


def test_ids_without_a_piece_are_told_as_unknown_and_added_pieces_stand_as_they_are(plain):
    assert plain.decode([5772, 40_063, -1]) == "你好⁇⁇"
    more = copy.deepcopy(plain)
    more.add_tokens(["【甲】"])
    ids = more.encode("你好【甲】我")
    assert 40_000 in ids
    assert more.decode(ids) == "你好【甲】我"
    assert len(plain) == 40_000


@given(st.text(alphabet=COMMON + ",.?!:;()0123456789 \n", max_size=60))
def test_texts_of_known_letters_come_back_exactly(plain, text):
    assert plain.decode(plain.encode(text)) == text


@given(st.text(alphabet=COMMON + "，。？！：（）１０\uff21\uff22　\t 　\n“”…", max_size=60))
def test_normalising_says_what_comes_back(plain, text):
    normal = plain.normalise(text)
    assert plain.decode(plain.encode(text)) == normal
    assert plain.normalise(normal) == normal


def test_normalising_keeps_what_the_vocabulary_lacks(plain):
    assert plain.normalise("你好，世界？\uff21\uff22：１０\n龘 😊") == "你好,世界?AB:10\n龘 😊"
    assert plain.decode(plain.encode("龘😊")) == "⁇⁇"


@given(st.text(max_size=40))
def test_any_text_has_ids_and_text_again(plain, text):
    ids = plain.encode(text, split_special_tokens=True)
    assert all(0 <= number < 40_000 for number in ids)
    assert 9 not in ids
    assert isinstance(plain.decode(ids), str)


def test_a_new_process_says_nothing_and_leaves_and_reads_no_cache(data, tmp_path):
    """jieba's own start would read, and run marshal on, a file that anybody may have put there."""
    (tmp_path / "jieba.cache").write_bytes(b"not a cache")
    code = (
        "import psyllm.lm.pangu_tokenizer as t, sys\n"
        "print(t.GPTPanguTokenizer(sys.argv[1]).encode('我最近总是失眠'))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(data / "vocab.model")],
        env={"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "[21, 1574, 1923, 12551]\n"
    assert found.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["jieba.cache"]
    assert (tmp_path / "jieba.cache").read_bytes() == b"not a cache"


def test_words_that_others_add_to_jieba_change_nothing(plain):
    import jieba

    before = plain.encode("我最近总是失眠")
    state = jieba.dt.__dict__.copy()
    jieba.dt.tmp_dir = tempfile.mkdtemp()
    try:
        jieba.dt.add_word("近总", freq=10**9)
        assert plain.encode("我最近总是失眠") == before
    finally:
        shutil.rmtree(jieba.dt.tmp_dir)
        jieba.dt.__dict__.update(state)


def test_it_goes_into_other_processes(plain):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(plain.encode, ["你好", "我"]) == [[5772], [21]]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    (tmp_path / "vocab.model").write_bytes(b"no pieces here")
    for path in (tmp_path / "vocab.model", tmp_path / "gone.model"):
        with pytest.raises(BadCheckpoint, match="not a sentencepiece model") as caught:
            GPTPanguTokenizer(str(path))
        assert "vocab.model" in caught.value.next_step


def test_counselling_text_takes_about_as_many_tokens_as_published(plain, outside_data):
    import lzma

    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        dialogues = [json.loads(next(lines)) for _ in range(40)]
    texts = [turn["content"] for dialogue in dialogues for turn in dialogue["dialog"]]
    started = time.process_time()
    tokens = sum(len(plain.encode(text)) for text in texts)
    spent_s = time.process_time() - started
    chars = sum(map(len, texts))
    assert tokens / chars == pytest.approx(0.69, abs=0.02)  # models.md, section 1.5
    assert chars / spent_s > 20_000  # ten times slower than measured would be a mistake
