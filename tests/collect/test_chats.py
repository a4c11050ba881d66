import json

import pytest

from made_up import write_array, write_lines
from psyllm.collect.formats import recognise
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput


def read(values, path):
    source = Source("chat", "MIT")
    form = recognise(write_lines(values, path))
    return list(form.read(path, source)), source


def turns(record):
    return [(turn.role, turn.text) for turn in record.turns]


TALK = [("visitor", "我睡不着。"), ("counsellor", "多久了？")]


@pytest.mark.parametrize(
    "value",
    [
        {
            "messages": [
                {"role": "user", "content": "我睡不着。"},
                {"role": "assistant", "content": "多久了？"},
            ]
        },
        {
            "messages": [
                {"role": "system", "content": "你是咨询师"},
                {"role": "user", "content": [{"type": "text", "text": "我睡不着。"}]},
                {"role": "assistant", "content": "多久了？"},
            ]
        },
        {
            "conversations": [{"from": "human", "value": "我睡不着。"}, {"from": "gpt", "value": "多久了？"}],
            "system": "你是咨询师",
        },
        {
            "conversations": [
                {"from": "user", "value": "我睡不着。"},
                {"from": "assistant", "value": "多久了？"},
            ]
        },
        {"conversation": [{"system": "你是咨询师", "input": "我睡不着。", "output": "多久了？"}]},
        {"conversation": [{"input": "我睡不着。", "output": "多久了？"}]},
        {"text": "<|im_start|>user\n我睡不着。<|im_end|>\n<|im_start|>assistant\n多久了？<|im_end|>\n"},
    ],
)
def test_chats_of_every_form_become_dialogues_without_their_prompt(tmp_path, value):
    (record,), source = read([value], tmp_path / "a")
    assert record.kind == "dialogue"
    assert turns(record) == TALK
    has_prompt = "你是咨询师" in json.dumps(value, ensure_ascii=False)
    assert source.parts_left_out == ({"system_prompt": 1} if has_prompt else {})
    assert (source.read, source.left_out) == (1, {})


def test_a_chat_keeps_its_own_number(tmp_path):
    values = [{"id": n, "conversations": [{"from": "human", "value": "甲"}]} for n in (7, 8)]
    records, _ = read(values, tmp_path / "a")
    assert [record.id for record in records] == ["chat:7", "chat:8"]


def test_arrays_are_read_like_lines(tmp_path):
    values = [{"conversation": [{"input": "甲", "output": "乙"}]}] * 2
    form = recognise(write_array(values, tmp_path / "a"))
    assert [turns(record) for record in form.read(tmp_path / "a", Source("chat", "MIT"))] == [
        [("visitor", "甲"), ("counsellor", "乙")]
    ] * 2


def test_tool_calls_pictures_and_empty_chats_are_left_out_and_counted(tmp_path):
    good = {"messages": [{"role": "user", "content": "甲"}]}
    values = [
        good,
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}]},
        {"messages": [{"role": "tool", "content": "7"}]},
        {"conversations": [{"from": "function_call", "value": "{}"}]},
        {"messages": [{"role": "user", "content": "甲"}], "tools": [{"name": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        {"messages": []},
        {"messages": [{"role": "system", "content": "只有提示"}]},
    ]
    records, source = read(values, tmp_path / "a")
    assert len(records) == 1
    assert source.left_out == {"holds_tool_calls": 4, "holds_more_than_text": 1, "no_turns": 2}
    assert source.read == len(values)


def test_an_unknown_role_is_named_by_its_place_and_never_by_its_text(tmp_path):
    values = [{"messages": [{"role": role, "content": "甲"}]} for role in ("user", "秘密")]
    with pytest.raises(MalformedInput, match="line 2: a role has not the form") as caught:
        read(values, tmp_path / "a")
    assert "秘密" not in str(caught.value)


@pytest.mark.parametrize(
    "turn", [{"role": "user"}, {"role": "user", "content": 7}, "甲", {"role": 1, "content": "甲"}]
)
def test_a_turn_of_another_form_is_malformed(tmp_path, turn):
    values = [{"messages": [{"role": "user", "content": "甲"}]}, {"messages": [turn]}]
    with pytest.raises(MalformedInput, match=r"line 2: .* has not the form"):
        read(values, tmp_path / "a")


def test_a_pair_without_words_gives_one_turn(tmp_path):
    value = {"conversation": [{"input": "", "output": "你好。"}, {"input": "甲", "output": "乙"}]}
    (record,), source = read([value], tmp_path / "a")
    assert [turn.text for turn in record.turns] == ["你好。", "甲", "乙"]
    assert source.parts_left_out == {"empty_turn": 1}


def test_an_alpaca_row_is_a_question_and_with_a_history_a_dialogue(tmp_path):
    values = [
        {"instruction": "我睡不着。", "input": "三周了。", "output": "多说说。"},
        {"instruction": "还是不行。", "input": "", "output": "嗯。", "history": [["我睡不着。", "多久了？"]]},
    ]
    (question, dialogue), source = read(values, tmp_path / "a")
    assert (question.kind, question.title, question.text) == ("question", "我睡不着。", "三周了。")
    assert [answer.text for answer in question.answers] == ["多说说。"]
    assert turns(dialogue) == [*TALK, ("visitor", "还是不行。"), ("counsellor", "嗯。")]
    assert source.read == 2


def test_an_instruction_that_all_rows_share_is_a_prompt(tmp_path):
    rows = [{"instruction": "你是咨询师，请回答。", "input": f"问题{n}", "output": "答"} for n in range(5)]
    records, source = read(rows, tmp_path / "a")
    assert [record.title for record in records] == [f"问题{n}" for n in range(5)]
    assert source.parts_left_out == {"system_prompt": 5}


def test_a_question_asked_three_times_is_no_prompt(tmp_path):
    rows = [{"instruction": "我睡不着。", "input": "", "output": f"答{n}"} for n in range(5)]
    records, _ = read(rows, tmp_path / "a")
    assert {record.title for record in records} == {"我睡不着。"}
    assert len({record.group for record in records}) == 1
