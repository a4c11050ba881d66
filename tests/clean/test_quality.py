import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.clean import quality
from psyllm.clean.drop import Drop
from psyllm.clean.makeup import makeups
from psyllm.core.records import Answer, Record, Span
from psyllm.text.han import han_count, han_share

PLAIN = "睡前把担心的事写下来，第二天再看，多半没有想的那么糟。"


def document(text, title="睡眠"):
    return Record(id="a:1", kind="document", group="a:1", source="a", licence="x", title=title, text=text)


@given(st.text(alphabet="我睡〇㐀豈𠀀\uff41a1。！ \n\u3000かハ한😀☀\ufffd", max_size=60))
def test_counting_by_blocks_finds_what_counting_one_by_one_finds(text):
    [found] = makeups([text])
    assert found.han == han_count(text)
    assert found.han_share == pytest.approx(han_share(text))
    assert found.kana == sum("\u3040" <= character <= "\u30ff" for character in text)
    assert found.hangul == text.count("한")
    assert found.pictures == text.count("😀") + text.count("☀")


@pytest.mark.parametrize(("text", "reason"), [
    ("最近どうも眠れなくて、とても不安です。何をしても楽しくない。", "other_language"),
    ("요즘 잠을 잘 수가 없어요. 너무 불안합니다.", "other_language"),
    ("I can not sleep at all 我", "little_chinese"),
    ("12345 67890", "little_chinese"),
])  # fmt: skip
def test_other_languages_have_their_own_reason(text, reason):
    assert quality.need_chinese(document(text, title=""), least_share=0.5) == Drop(reason)


@pytest.mark.parametrize(
    "text", ["我喜欢「かわいい」这个词，" + PLAIN, PLAIN + "哈哈哈哈哈哈哈哈", "失眠😀" + PLAIN]
)
def test_a_quoted_word_and_laughter_stay(text):
    kept = document(text)
    assert quality.need_chinese(kept, least_share=0.5) is kept


@pytest.mark.parametrize("text", [
    PLAIN.encode().decode("gbk", "replace"),
    PLAIN.encode().decode("cp1252", "replace"),
    PLAIN.encode().decode("latin-1"),
    PLAIN.encode("gbk").decode("latin-1"),
    PLAIN.encode("gbk").decode("utf-8", "replace"),
])  # fmt: skip
def test_text_read_in_the_wrong_encoding_is_dropped(text):
    assert quality.need_whole_text(document(text * 3)) == Drop("broken_text")


def test_one_lost_picture_is_no_broken_text():
    kept = document(PLAIN * 20 + "\ufffd" * 2)
    assert quality.need_whole_text(kept) is kept


def test_tags_and_encoded_characters_are_mended_and_spans_follow():
    text = "<p>睡不着&nbsp;&amp; 心慌</p><br/>慢慢来<script>x()</script>"
    spans = (Span(start=text.index("慢"), end=text.index("慢") + 3, type="A"),)
    record = Record(
        id="a:1",
        kind="question",
        group="a:1",
        source="a",
        licence="x",
        title="怎么办",
        answers=(Answer(text=text, spans=spans),),
    )
    (answer,) = quality.mend_markup(record).answers
    assert answer.text == "睡不着\xa0& 心慌\n\n慢慢来"
    assert [answer.text[span.start : span.end] for span in answer.spans] == ["慢慢来"]


@pytest.mark.parametrize("text", ["他说 a < b 而且 c > d", "我<3你", "A&B公司", "心情 <很差> 的时候"])
def test_what_only_looks_like_markup_stays(text):
    kept = document(text)
    assert quality.mend_markup(kept) is kept


def test_a_title_alone_is_no_document():
    assert quality.need_text(document("睡眠")) == Drop("title_only")
    assert quality.need_text(document(" ")) == Drop("title_only")
    kept = document(PLAIN)
    assert quality.need_text(kept) is kept


def test_a_document_that_says_the_same_over_and_over_is_dropped():
    assert quality.need_variety(document(PLAIN * 40)) == Drop("repeats_itself")
    kept = document(PLAIN + "散步、写字、和朋友说话，都能让人松一点。" + "每个人需要的不一样。" * 3)
    assert quality.need_variety(kept) is kept
