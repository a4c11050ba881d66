import pytest

from psyllm.clean.site_lines import site_lines, without_site_lines


@pytest.mark.parametrize("line", site_lines(), ids=lambda line: line.name)
def test_every_row_takes_its_sentence_and_leaves_the_other(line):
    assert line.pattern.search(line.takes)
    assert not any(row.pattern.search(line.leaves) for row in site_lines())


def test_only_the_sentence_goes():
    text = "试着早点睡。如果觉得有用，请点击“有用”。\n慢慢来。"
    assert without_site_lines(text).text == "试着早点睡。慢慢来。"


def test_spans_move_with_the_words():
    folded = without_site_lines("我是答疑馆小耳朵。试着早点睡。欢迎关注我！")
    assert folded.text == "试着早点睡。"
    assert folded.offsets.span(9, 15) == (0, 6)
    assert folded.offsets.span(0, 9) is None
    assert folded.offsets.span(12, 21) == (3, 6)


def test_a_text_without_such_lines_is_the_same():
    assert without_site_lines("试着早点睡。").offsets.passes == ()
