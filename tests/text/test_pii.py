"""Finding and masking what points at a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.starter import starter_records
from psyllm.text.pii import MARKS, find_pii, mask_pii, mask_texts

# 11010519491231002X is the worked example of GB 11643-1999.
FOUND = [
    ("我的手机13800138000。", "phone", "13800138000"),
    ("打138-0013-8000", "phone", "138-0013-8000"),
    ("+86 138 0013 8000", "phone", "+86 138 0013 8000"),
    (
        "\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10",
        "phone",
        "\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10",
    ),
    ("一三八零零一三八零零零", "phone", "一三八零零一三八零零零"),
    ("138，0013，8000", "phone", "138，0013，8000"),
    ("①③⑧⓪⓪①③⑧⓪⓪⓪", "phone", "①③⑧⓪⓪①③⑧⓪⓪⓪"),
    (
        "\U0001d7cf\U0001d7d1\U0001d7d6\U0001d7ce\U0001d7ce\U0001d7cf\U0001d7d1\U0001d7d6\U0001d7ce\U0001d7ce\U0001d7ce",
        "phone",
        "\U0001d7cf\U0001d7d1\U0001d7d6\U0001d7ce\U0001d7ce\U0001d7cf\U0001d7d1\U0001d7d6\U0001d7ce\U0001d7ce\U0001d7ce",
    ),
    ("身份证110105-19491231-002X", "id_number", "110105-19491231-002X"),
    ("家里021-54321234", "phone", "021-54321234"),
    ("（021）54321234", "phone", "（021）54321234"),
    ("0912-345-678", "phone", "0912-345-678"),
    ("+852 5123 4567", "phone", "+852 5123 4567"),
    ("联系电话：54321234", "phone", "54321234"),
    ("证号11010519491231002X", "id_number", "11010519491231002X"),
    ("身份证是110105491231002", "id_number", "110105491231002"),
    ("护照E12345678", "id_number", "E12345678"),
    ("写信给li.wei_1@mail.example.cn吧", "email", "li.wei_1@mail.example.cn"),
    ("abc#qq点com", "email", "abc#qq点com"),
    ("加我微信：abc_12345", "wechat", "abc_12345"),
    ("vx hello2020", "wechat", "hello2020"),
    ("威信号wxid_abcdef123", "wechat", "wxid_abcdef123"),
    ("我的微信是13800138000", "wechat", "13800138000"),
    ("QQ：123456789", "qq", "123456789"),
    ("扣扣群 1234567", "qq", "1234567"),
]
LEFT = [
    "请打12356、12355、120或110",
    "北京010-82951332，800-810-1117",
    "香港 2389 2222，热线电话：2896 0000",
    "客服400-161-9995",
    "我1995年10月12日毕业，2020-11-12 13:00到的",
    "考了1380分，花了13800.50元",
    "110105194912310021 校验不对",
    "11010519491331002X 没有十三月",
    "微信群里有一百人，wechat is good",
    "我有QQ",
    "分别是150，2234，3345",
    "2014/12/13，2013、2014、2015年",
    "一二三四五六七八九",
    "@小明 你好",
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_what_points_at_a_person_is_found_where_it_stands(text, kind, value):
    spans = find_pii(text)
    assert [(span.kind, text[span.start : span.end]) for span in spans] == [(kind, value)]


@pytest.mark.parametrize("text", LEFT)
def test_help_lines_dates_and_ordinary_words_stay(text):
    assert find_pii(text) == []
    assert mask_pii(text).text == text


def test_masks_are_counted_and_spans_follow():
    text = "我叫小李，电话13800138000，邮箱a@b.cn，谢谢。"
    masked = mask_pii(text)
    assert masked.text == "我叫小李，电话〔电话〕，邮箱〔邮箱〕，谢谢。"
    assert masked.counts == {"phone": 1, "email": 1}
    start = text.index("谢谢")
    assert masked.shift.span(start, start + 2) == (masked.text.index("谢谢"), masked.text.index("谢谢") + 2)
    assert masked.shift.span(0, len(text)) == (0, len(masked.text))


def test_an_id_number_is_not_also_a_phone():
    assert mask_pii("11010519491231002X和13800138000").counts == {"id_number": 1, "phone": 1}


PARTS = st.sampled_from(
    [value for _, _, value in FOUND]
    + list(MARKS.values())
    + [
        "我叫",
        "同事",
        "张伟",
        "周浩",
        "王子轩",
        "老师",
        "姓名：",
        "说",
        "人民路",
        "12号",
        "3栋",
        "小区",
        "502室",
        "京A",
        "12345",
        "6222",
        "抖音号",
        "出生于",
        "1990年3月2日",
        "中学",
        "高二3班",
        "\n",
        "微信",
        "QQ",
        "电话",
        "手机",
        "：",
        "vx",
        "身份证",
        "-",
        ".",
        "1",
        "38",
        "0",
        "，",
        "我",
        "abc",
        "@",
        "#",
        "一",
        "九",
        "①",
        "壹叁捌",
        "②③④⓪",
        "/",
        "138，0013，8000",
        "110105-19491231-002X",
        "热线",
        "我家电话",
        "010-62345678",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=50))
def test_masking_twice_changes_nothing_more(text):
    once = mask_pii(text)
    again = mask_pii(once.text)
    assert again.text == once.text
    assert again.counts == {}


@given(st.lists(st.lists(PARTS, max_size=6).map("".join), max_size=4))
def test_masking_a_record_twice_changes_nothing_more_and_no_text_runs_into_the_next(texts):
    changed = mask_texts(texts)
    masked = [changed[text].text if text in changed else text for text in texts]
    assert mask_texts(masked) == {}
    assert [text.count("\n") for text in masked] == [text.count("\n") for text in texts]


@given(st.lists(PARTS, max_size=12).map("".join))
def test_what_is_masked_is_what_was_found_and_the_rest_stays_in_order(text):
    masked = mask_pii(text)
    assert sum(masked.counts.values()) >= len(find_pii(text)) > 0 or masked.text == text
    for mark in MARKS.values():
        text = text.replace(mark, "")
        masked = masked._replace(text=masked.text.replace(mark, ""))
    rest = iter(text)
    assert all(character in rest for character in masked.text)


def test_other_kinds_have_their_marks():
    text = "我叫王志远，住云水路12号3栋，开京A12345，卡4111 1111 1111 1111，1990年3月2日出生。"
    assert mask_pii(text).text == "我叫〔姓名〕，住〔地址〕，开〔车牌〕，卡〔银行卡〕，〔生日〕出生。"


def test_wide_and_traditional_writing_is_masked_alike():
    assert (
        mask_pii("電話\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10，我叫陳曉雯").text
        == "電話〔电话〕，我叫〔姓名〕"
    )


def test_the_bundled_texts_name_nobody():
    found = [span for record in starter_records() for span in find_pii("\n".join(record.texts()))]
    assert not [span for span in found if span.kind == "name"]
