"""Two counsellors and a supervisor review three texts; then the corpus and its card say so."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cleaned_story import CALM, dialogue
from journeys import DESKTOP, PHONE, Serving, axe, psyllm
from psyllm.core.records import read_records, write_records
from psyllm.core.stages import Stage, StageRun, current_run, writing

PASSWORD = "a long password for tests"
BETTER = "听起来这几个晚上都很难熬。我们先说说今晚怎么过，好吗？" * 2
# A folder for pictures to look at, given by hand.
SHOTS = os.environ.get("PSYLLM_SHOTS")


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """A cleaned run of three dialogues with a sample of them, and three people at the desk."""
    said = "我不想活了，已经写好了遗书"
    records = [
        dialogue(1, said=said, reply=CALM),
        dialogue(2, reply="这有什么好难过的，想开一点就行了，别矫情。" * 2, said="分手以后我每天都哭"),
        dialogue(3, reply="谢谢你告诉我这些。" * 5, said="宿舍里没有人和我说话"),
    ]
    many = [
        dialogue(number, said=f"第{number}件事一直在心里{'很乱' * (number % 7)}") for number in range(10, 16)
    ]
    with writing(StageRun(tmp_path, Stage.COLLECTED, "talks", "mark", (), {})) as run:
        write_records([*records, *many], run.folder)
        run.finish(counts={"records": 9})
    words = ("--data", str(tmp_path))
    psyllm("clean", *words, "--set", "clean.workers=1")
    psyllm("clean", "review", *words, "--size", "60")
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    for name, role in (("lin", "counsellor"), ("wang", "counsellor"), ("chen", "supervisor")):
        psyllm("serve", "staff", "add", name, "--role", role, "--password-file", str(password), *words)
    return tmp_path


def open_desk(browser, url: str, name: str, faults: list[str], viewport=DESKTOP) -> Page:
    context = browser.new_context(viewport=viewport, locale="zh-CN", reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: request.url.startswith(url) or faults.append(request.url))
    page.goto(f"{url}/desk/review")
    page.get_by_label("姓名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("heading", name="审阅语料").wait_for()
    page.get_by_role("radio").first.wait_for()
    return page


def shown(page: Page) -> str:
    return page.locator(".review-text").inner_text()


def read_all(page: Page, decisions: dict[str, Callable[[Page], None]]) -> None:
    """Decide about every text by a mark in it until none waits; those without a mark are accepted."""
    done = page.get_by_text("现在没有等你看的文字")
    while True:
        page.locator(".review-text").or_(done).wait_for()
        if done.is_visible():
            return
        expect(page.locator(".review-facts")).to_be_in_viewport()  # each text begins at its top
        before = shown(page)
        decide = next((one for mark, one in decisions.items() if mark in before), accept)
        decide(page)
        page.wait_for_function(
            "before => document.querySelector('.review-text')?.innerText !== before", arg=before
        )


def accept(page: Page) -> None:
    page.keyboard.press("a")
    page.keyboard.press("Enter")


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def reject_as(reason: str) -> Callable[[Page], None]:
    def reject(page: Page) -> None:
        assert BETTER not in page.content(), "the second reader sees nothing of the first decision"
        page.get_by_label("不能用").check(force=True)
        page.get_by_label(reason).check(force=True)
        page.get_by_role("button", name="记下我的决定").click()

    return reject


def edit(page: Page) -> None:
    page.get_by_label("修改后用").check(force=True)
    page.get_by_label("2 咨询师").fill(BETTER)
    picture(page, "review-edit")
    page.get_by_role("button", name="记下我的决定").click()


def test_three_people_review_and_the_corpus_follows(browser, reviewed: Path) -> None:
    faults: list[str] = []
    words = ("--data", str(reviewed))
    with Serving(reviewed, "serve.model=none") as site:
        lin = open_desk(browser, site.url, "lin", faults)
        expect(lin.locator(".review-text")).to_contain_text("遗书", use_inner_text=True)
        assert axe(lin) == []
        picture(lin, "review-desktop")
        lin.get_by_text("读得难受？").click()
        expect(lin.get_by_role("link", name="12356").first).to_be_visible()
        picture(lin, "review-help")
        lin.get_by_text("读得难受？").click()
        wang = open_desk(browser, site.url, "wang", faults, PHONE)
        picture(wang, "review-phone")
        assert wang.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        broken = reject_as("残缺或读不通")
        read_all(lin, {"分手以后": edit, "宿舍里没有人": broken})
        read_all(wang, {"分手以后": reject_as("可能造成伤害"), "宿舍里没有人": broken})
        picture(wang, "review-done")

        chen = open_desk(browser, site.url, "chen", faults)
        expect(chen.get_by_text("另外两位的决定")).to_be_visible()
        assert axe(chen) == []
        picture(chen, "review-third")
        chen.get_by_role("button", name="从这一份改起").click()
        chen.get_by_role("button", name="记下我的决定").click()
        expect(chen.get_by_text("已记下。")).to_be_visible()

        for page in (lin, wang, chen):
            page.context.close()
    assert faults == []
    psyllm("feedback", *words)
    psyllm("clean", *words, "--set", "clean.workers=1")
    # These few made-up dialogues share sentences, which is not what is asked here.
    psyllm("corpus", *words, "--set", "corpus.most_shared_13grams=1")
    corpus = current_run(reviewed, Stage.CORPUS)
    found = {one.id: one for side in ("train", "dev", "test") for one in read_records(corpus, prefix=side)}
    assert found["talks:2"].turns[1].text == BETTER
    assert found["talks:2"].reviewed_by == "two reviewers"
    assert found["talks:1"].reviewed_by == "two reviewers"
    assert "talks:3" not in found
    card = json.loads((corpus / "card.json").read_text("utf-8"))["reviews"]
    assert card["alpha"]["value"] is not None
    assert card["decisions_applied"] == sum(row["settled"] for row in card["coverage"])
    page = next(iter(corpus.glob("*.html"))).read_text("utf-8")
    assert "一致程度" in page
    assert "还没有人审阅过" not in page
    assert "Krippendorff's alpha (nominal, blind): 0." in (corpus / "card.md").read_text("utf-8")
