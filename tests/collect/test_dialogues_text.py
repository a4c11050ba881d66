import pytest

from psyllm.collect.dialogues_text import is_dialogue_text, split_turns


def test_blocks_become_turns_and_lines_without_a_role_stay_with_the_turn_above():
    text = "来访者：你好。\r\n\r\n心理咨询师：可以试试：\r\n1. 深呼吸\r\n2. 写下来\r\n\r\n来访者:好的。\r\n"
    before, turns = split_turns(text)
    assert before == ""
    assert [(turn.role, turn.text) for turn in turns] == [
        ("visitor", "你好。"),
        ("counsellor", "可以试试：\n1. 深呼吸\n2. 写下来"),
        ("visitor", "好的。"),
    ]


def test_names_and_numbers_behind_a_role_are_taken_away():
    _, turns = split_turns("来访者（姚先生）：甲\n来访者2：乙\n心理咨询师（扮演排挤者）：丙")
    assert [(turn.role, turn.text) for turn in turns] == [
        ("visitor", "甲"),
        ("visitor", "乙"),
        ("counsellor", "丙"),
    ]


@pytest.mark.parametrize("line", ["妈妈：你好", "我告诉来访者：你好", "来访者说：你好", "1. 倾听：听她说"])
def test_other_words_before_a_colon_begin_no_turn(line):
    _, turns = split_turns(f"来访者：甲\n{line}\n心理咨询师：乙")
    assert [turn.text for turn in turns] == [f"甲\n{line}", "乙"]


def test_what_stands_before_the_first_speaker_is_kept_apart():
    before, turns = split_turns("案例三\n来访者：甲\n心理咨询师：乙")
    assert before == "案例三"
    assert len(turns) == 2


def test_a_text_with_one_voice_is_no_dialogue():
    assert is_dialogue_text("来访者：甲\n咨询师：乙")
    assert not is_dialogue_text("来访者：甲\n来访者：乙")
    assert not is_dialogue_text("# 来访者与心理咨询师\n文章")
