import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect import chatml
from psyllm.collect.formats import recognise
from psyllm.collect.source import Source
from psyllm.core.errors import MalformedInput

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).filter(lambda text: "<|" not in text)


def block(role, words):
    return f"<|im_start|>{role}\n{words}<|im_end|>\n"


@given(
    chats=st.lists(
        st.lists(st.tuples(st.sampled_from(["user", "assistant"]), WORDS), min_size=1), max_size=4
    ),
    size=st.integers(1, 50),
)
def test_chats_come_out_as_they_went_in_however_the_text_is_cut(chats, size):
    text = "<|endoftext|>".join("".join(block(*turn) for turn in chat) for chat in chats)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(chatml.chats(pieces, Source("a", "MIT"))) == chats


def test_a_system_prompt_begins_a_chat_and_is_cut(tmp_path):
    one = block("system", "提示") + block("user", "甲") + block("assistant", "乙")
    path = tmp_path / "a"
    path.write_text(one * 3, "utf-8")
    source = Source("a", "MIT")
    form = recognise(path)
    assert form.name == "ChatML text"
    records = list(form.read(path, source))
    assert [[turn.text for turn in record.turns] for record in records] == [["甲", "乙"]] * 3
    assert source.parts_left_out == {"system_prompt": 3}
    assert (source.read, len({record.id for record in records})) == (3, 3)


def test_a_turn_that_breaks_off_is_cut_and_counted():
    source = Source("a", "MIT")
    assert list(chatml.chats([block("user", "甲") + "<|im_start|>assistant\n乙"], source)) == [
        [("user", "甲")]
    ]
    assert source.parts_left_out == {"turn_that_breaks_off": 1}


def test_files_of_a_folder_are_named_by_place_and_tools_left_out(tmp_path):
    (tmp_path / "a.txt").write_text(block("user", "甲") + block("assistant", "乙"), "utf-8")
    (tmp_path / "b.txt").write_text(block("user", "甲") + block("tool", "乙"), "utf-8")
    (tmp_path / "notes").write_text("只是一段话。", "utf-8")
    source = Source("a", "MIT")
    records = list(recognise(tmp_path).read(tmp_path, source))
    assert [record.id for record in records] == ["a:a/1"]
    assert source.left_out == {"holds_tool_calls": 1, "file_is_no_chat": 1}
    assert source.read == 3


def test_an_unknown_role_is_malformed(tmp_path):
    path = tmp_path / "a"
    path.write_text(block("user", "甲") + block("秘密", "乙"), "utf-8")
    with pytest.raises(MalformedInput, match="chat 1: a role is none") as caught:
        list(recognise(path).read(path, Source("a", "MIT")))
    assert "秘密" not in str(caught.value)
