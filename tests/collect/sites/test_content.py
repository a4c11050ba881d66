import hypothesis
import pytest
from hypothesis import strategies as st

import made_threads as threads
from made_threads import TEXT
from psyllm.collect.sites.content import text_of_html
from psyllm.collect.sites.decoding import decoded

ORDINARY = "我最近总是睡不着，心里很难过，不知道该怎么办。\n朋友说去看看医生，我还在犹豫。" * 20


@hypothesis.given(TEXT, st.sampled_from([threads.paragraphs, threads.broken_lines]))
def test_lines_come_back_from_paragraphs_and_breaks(text, write):
    assert text_of_html(write(text)) == text


@hypothesis.given(st.text(st.sampled_from("<>/p&;\"'=a 我 -!br"), max_size=60))
def test_no_markup_is_an_exception(fragment):
    text_of_html(fragment)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>一<b>二</b>三</p>", "一二三"),
        ("<p>一\n   二</p>", "一二"),
        ("<p>one\n  two</p>", "one two"),
        ("<ul><li>一</li><li>二</li></ul>", "一\n二"),
        ("<table><tr><td>一</td><td>二</td></tr></table>", "一 二"),
        ("一<script>var a='</p>二'</script><style>p{}</style><!-- 三 -->四", "一四"),
        ("一<img alt='微笑' src=x>二&nbsp;三&lt;四", "一二 三<四"),
        ("<p>　　段首</p><p>&#8203;</p>", "段首\n\u200b"),
        ("写信到 a@b.example 吧", "写信到 a@b.example 吧"),
        ("@某人 你好", "你好"),
        ("谢谢，@某人：你好", "谢谢，：你好"),
    ],
)
def test_markup_as_a_reader_sees_it(markup, text):
    assert text_of_html(markup) == text


@pytest.mark.parametrize("declared", ["utf-8", "gb2312", "big5", "no-such-charset", "base64", ""])
@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-8-sig", "utf-16"])
def test_whatever_is_declared_the_right_charset_is_found(charset, declared):
    body = f'<meta charset="{declared}"><p>{ORDINARY}</p>'.encode(charset)
    page = decoded(body, f"text/html; charset={declared}")
    assert ORDINARY in page.text()
    assert not page.damaged


@pytest.mark.parametrize(
    "declared", ["undefined", "raw_unicode_escape", "unicode_escape", "idna", "punycode", "utf-7", "mbcs"]
)
def test_what_python_knows_and_is_no_charset_is_not_tried(declared):
    body = f'<meta charset="{declared}"><p>{ORDINARY}\\ud83d</p>'.encode("gb18030")
    text = decoded(body, f"text/html; charset={declared}").text()
    assert text.encode("utf-8").count(ORDINARY.encode()) == 1


@pytest.mark.parametrize("declared", ["utf-8", "gb2312", "big5"])
def test_traditional_pages_in_big5_are_read(declared):
    text = "我最近總是睡不著，心裡很難過，不知道該怎麼辦。" * 20
    assert decoded(f'<meta charset="{declared}"><p>{text}</p>'.encode("big5")).text().count(text) == 1


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_damaged_bytes_are_marked_and_the_rest_is_read(charset):
    body = ORDINARY.encode(charset)
    page = decoded(body[:500] + b"\xff\xff" + body[500:])
    assert page.damaged
    assert page.text().count("睡不着") > 15
