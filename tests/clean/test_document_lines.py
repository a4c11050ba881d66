from psyllm.clean.document_lines import without_page_lines, without_repeated_paragraphs
from psyllm.core.records import Record

ONE = "睡前把担心的事写下来，第二天再看，多半没有想的那么糟。"
TWO = "先从每天十分钟开始，不用逼自己马上睡着。"


def document(*lines, kind="document"):
    return Record(
        id="a:1", kind=kind, group="a:1", source="a", licence="x", title="睡眠", text="\n".join(lines)
    )


def test_a_pages_own_lines_go():
    given = document(
        "首页 > 心理百科 > 睡眠", ONE, "分享到：微信 微博", TWO, "上一篇：怎样放松", "第1页/共3页"
    )
    assert without_page_lines(given).text == f"{ONE}\n{TWO}"


def test_a_list_of_other_articles_goes_with_its_heading_and_what_follows_stays():
    given = document(ONE, "相关阅读", "怎样放松", "- 焦虑是什么", "", TWO)
    assert without_page_lines(given).text == f"{ONE}\n\n{TWO}"
    sentence = document(ONE, "相关阅读", "怎样放松", TWO)
    assert without_page_lines(sentence).text == f"{ONE}\n{TWO}"
    apart = document(ONE, "## 相关条目", "", "- 焦虑是什么", "- 怎样放松", "", TWO)
    assert without_page_lines(apart).text == f"{ONE}\n\n{TWO}"
    heading = document(ONE, "## 延伸阅读", "焦虑是什么", "## 参考", "某某书")
    assert without_page_lines(heading).text == f"{ONE}\n## 参考\n某某书"


def test_a_paragraph_stands_once_and_short_lines_may_come_back():
    given = document(ONE, "小结", TWO, ONE, "小结")
    assert without_repeated_paragraphs(given).text == f"{ONE}\n小结\n{TWO}\n小结"


def test_other_kinds_and_plain_articles_are_left_alone():
    question = document("首页 > 心理", ONE, ONE, kind="question")
    assert without_page_lines(question) is question
    assert without_repeated_paragraphs(question) is question
    plain = document(ONE, TWO)
    assert without_page_lines(plain) is plain
    assert without_repeated_paragraphs(plain) is plain
