"""Names by cue and shape: what is one, and what only looks like one."""

import tomllib

import pytest

from psyllm.text.personal_names import TABLE, name_spans
from psyllm.text.plain_forms import plain_form

TABLES = tomllib.loads(TABLE.read_text("utf-8"))
FINDS = [(text, value) for cue in TABLES["cues"] for text, value in cue["finds"]]
LEAVES = [text for cue in TABLES["cues"] for text in cue["leaves"]]


def names(text):
    return [text[start:end] for start, end in name_spans(plain_form(text))]


@pytest.mark.parametrize(("text", "value"), FINDS)
def test_each_cue_finds_what_it_says(text, value):
    assert names(text) == [value]


@pytest.mark.parametrize("text", LEAVES)
def test_each_cue_leaves_what_it_says(text):
    assert names(text) == []


def test_every_cue_has_both_sorts_of_examples_and_no_word_is_given_twice():
    assert all(cue["finds"] and cue["leaves"] for cue in TABLES["cues"])
    surnames = TABLES["surnames"]
    assert not set(surnames["plain"]) & set(surnames["weak"])
    assert all(len(word) > 1 for word in TABLES["stop"]["words"].split())


def test_public_figures_stay_even_beside_a_cue():
    for name in TABLES["public"]["names"].split():
        assert names(f"我在读{name}的书，{name}老师说。") == [], name


@pytest.mark.parametrize(
    "frame", ["老师{0}了", "我{0}。", "{0}说，", "同事{0}的", "和{0}在一起，和{0}。", "{0}老师"]
)
def test_ordinary_words_stay(frame):
    words = (
        "高中 周围 王子 黄昏 白天 马上 温柔 安全 金钱 许多 任何 于是 方面 江湖 何时 高兴 程度 安静 陈述 孙子"
    )
    for word in words.split():
        assert names(frame.format(word)) == [], word


def test_a_name_told_once_is_a_name_everywhere_and_so_is_its_given_name():
    text = "我叫张晓雯。\n昨天晓雯没睡，他们都说张晓雯变了。"
    assert names(text) == ["张晓雯", "晓雯", "张晓雯"]


def test_a_short_name_is_told_by_being_repeated_beside_different_words():
    assert names("我和周浩认识三年。后来周浩的妈妈来了，我对周浩说算了。") == ["周浩", "周浩", "周浩"]
    assert names("后来周浩的妈妈来了。") == []


def test_many_names_are_found_as_surely_as_one_the_longest_first():
    told = [f"{surname}{given}" for surname in "王李张刘陈" for given in ("晓雯", "雨桐", "欣怡")]
    text = "".join(f"我叫{name}，" for name in told) + "晓雯和王晓雯。"
    assert names(text) == [*told, "晓雯", "王晓雯"]


def test_weak_signs_stay():
    for text in ("王老师说", "李阿姨来了", "小李和老张", "我叫小雨", "张三和李四"):
        assert names(text) == [], text


def test_traditional_characters_are_read_like_simplified_ones():
    assert names("我叫陳曉雯，我的同事張偉總是罵我") == ["陳曉雯", "張偉"]
