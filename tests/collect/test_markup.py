import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect.markup import Block, blocks, plain


@pytest.mark.parametrize(
    ("marked", "bare"),
    [
        ("**粗**和*斜*和`码`", "粗和斜和码"),
        ("***都***要__这样__", "都要这样"),
        ("见[词条（A）](../b/C-(D).md)。", "见词条（A）。"),
        ("[词][1]与![图](a.png)", "词与"),
        ("研究[^甲-1][^2]指出", "研究指出"),
        ("<br>换行<span class='x'>字</span>", "换行字"),
        ("看 <https://example.org/a> 这里", "看  这里"),
        ("按钮{ .md-button }:material-link:", "按钮"),
        ("2 * 3 * 4 不是斜体", "2 * 3 * 4 不是斜体"),
        ("a_b_c 和 3 < 4", "a_b_c 和 3 < 4"),
        ("&lt;好&gt;\\*不斜\\*", "<好>*不斜*"),
        ("颜文字 (>_<) 留下", "颜文字 (>_<) 留下"),
    ],
)
def test_inline_marks_go_and_words_stay(marked, bare):
    assert plain(marked) == bare


@pytest.mark.parametrize(
    ("marked", "bare"),
    [
        ("- 一\n* 二\n- [x] 三\n1. 四", ["一", "二", "三", "1. 四"]),
        ("> 引文\n> > 再引", ["引文", "再引"]),
        ("甲\n\n---\n\n乙\n***\n丙", ["甲", "乙", "丙"]),
        ("| 甲 | 乙 |\n|---|:-:|\n| 1 | |\n", ["甲，乙", "1"]),
        ('!!! info "要点"\n    正文\n??? note\n    折叠', ["要点", "正文", "折叠"]),
        ("!!! info 术语边界说明\n    正文", ["术语边界说明", "正文"]),
        ("前\n```mermaid\ngraph TD\n```\n后", ["前", "后"]),
        ("前\n~~~\n没有结束", ["前"]),
        ("前<!-- 注\n释 -->后", ["前后"]),
        ("文[^1]\n\n[^1]: 出处\n    第二行\n\n后", ["文", "后"]),
        ("[名]: https://example.org\n后", ["后"]),
    ],
)
def test_blocks_lose_their_marks(marked, bare):
    assert [block.text for block in blocks(marked)] == bare


def test_headings_keep_their_level_and_go_when_nothing_is_below_them():
    body = "# 甲\n## 乙\n文\n## 丙\n### 丁\n## 戊\n### 己\n文\n# 庚\n"
    assert blocks(body) == [
        Block(1, "甲"), Block(2, "乙"), Block(0, "文"), Block(2, "戊"), Block(3, "己"), Block(0, "文"),
    ]  # fmt: skip


@given(st.text())
def test_no_text_breaks_the_reader(text):
    assert all(block.text for block in blocks(text))


def test_a_long_line_of_marks_is_read_in_time():
    for line in (
        "*" * 20000,
        "[" * 20000,
        "<" * 20000,
        "**a" * 5000,
        "> " * 20000,
        "|-" * 20000,
        "_a" * 10000,
    ):
        blocks(line)


@pytest.mark.parametrize(
    "line",
    ["!!! a" + " " * 20_000 + ".", "- " * 10_000 + "*", "# a" + " " * 20_000 + "b", "* " * 10_000 + "甲"],
)
def test_a_long_line_of_spaces_and_marks_takes_no_time(line):
    before = time.process_time()
    blocks(line)
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("line", "block"),
    [
        ("## 甲 乙 ##", Block(2, "甲 乙")),
        ("# 甲#乙", Block(1, "甲#乙")),
        ('!!! note inline "题目"', Block(0, "题目")),
        ("??? tip 标题", Block(0, "标题")),
        ('=== "页签"', Block(0, "页签")),
        ("> - [x] 做完了", Block(0, "做完了")),
    ],
)
def test_headings_and_frames_are_read_as_before(line, block):
    assert blocks(f"{line}\n字")[0] == block


@pytest.mark.parametrize("mark", ["<!-- ", "<script> ", "<STYLE "])
def test_beginnings_without_an_end_take_no_time_and_stay_text(mark):
    before = time.process_time()
    found = blocks(f"<!-- 一 -->{mark * 20_000}\n字")
    assert time.process_time() - before < 2
    assert found[-1].text == "字"


def test_scripts_and_styles_go_up_to_their_own_end():
    (block,) = blocks("甲<script>a</style>b</SCRIPT >乙<style>c</style><script>丙")
    assert block.text.startswith("甲乙")
    assert block.text.endswith("丙")
