"""From a rating in the page to a record in the next corpus."""

import pytest
from playwright.sync_api import expect

from journeys import ask, axe, psyllm
from psyllm.core.records import read_records
from psyllm.core.stages import Stage, need_current
from psyllm.core.starter import starter_records

AXES = ("对你有帮助吗", "读起来通顺吗", "和你说的事有关吗", "讲得有条理吗")
DETAILS = (
    "。早上七点开门，中午轮流吃饭，下午常有人来补胎，忙到天黑才收摊。前阵子隔壁搬来一家卖水果的，两边为了门口那块空地"
    "吵过几回，话说得难听，后来谁也不理谁。我本来就睡得浅，现在夜里听见楼下卷帘门响就坐起来，白天拧螺丝手都发抖。"
    "老伴劝我算了，可我一想到他们站在门口笑的样子就咽不下去，饭也只吃小半碗，人瘦了一圈，去年买的裤子都松了。"
    "儿子在外地打来电话，我只说都好，挂了以后一个人在柜台后面坐很久，灯也不想开，账本翻来翻去总是那一页。"
)
QUESTIONS = [record for record in starter_records() if record.kind == "question"]


def rate(page, mark, *, consent):
    page.get_by_role("button", name="给这段回答评分").first.click()
    box = page.get_by_role("checkbox")
    assert not box.is_checked(), "consent is never ticked beforehand"
    for axis in AXES:
        page.get_by_role("group", name=axis).get_by_label(f"{mark} 分").check(force=True)
    if consent:
        box.check(force=True)
    assert axe(page) == []
    page.get_by_role("button", name="提交评分").click()
    expect(page.get_by_text("谢谢，评分已经收到。")).to_be_visible()


@pytest.mark.parametrize(
    ("mark", "consent", "comes_back"), [(5, True, True), (5, False, False), (2, True, False)]
)
def test_only_a_consented_good_rating_reaches_the_next_corpus(open_page, site, mark, consent, comes_back):
    number = 3 + mark + consent
    question = QUESTIONS[number]
    words = f"我家在第{number}条街上开一间小修车铺，旁边的邻居们都知道我的这些事情"
    page = open_page()
    # Long details of its own: the bundled answer comes back with it, and must not make it a near duplicate.
    ask(page, question.title, words + DETAILS)
    page.get_by_role("log").get_by_role("article").nth(1).wait_for()
    rate(page, mark, consent=consent)
    psyllm("collect", "starter", "--data", str(site.data))
    for room in ("feedback", "clean", "corpus"):
        psyllm(room, "--data", str(site.data))
    folder, _ = need_current(site.data, Stage.CORPUS)
    found = [
        record
        for split in ("train", "dev", "test")
        for record in read_records(folder, prefix=split)
        if any(words in text for text in record.texts())
    ]
    assert bool(found) == comes_back
    if comes_back:
        assert found[0].consent_id
        assert found[0].answers[0].mean_rating == 5
        assert not found[0].may_show
