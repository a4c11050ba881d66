"""The bundled articles: open to everybody, as reviewed, with nothing that says who reads what."""

from datetime import date
from pathlib import Path

import pytest

from psyllm.core.reviews import Review, append_reviews, reviews_path
from psyllm.core.starter import starter_records
from psyllm.serve.reading import load_articles
from serve_house import House

ARTICLES = [record for record in starter_records() if record.kind == "document"]


@pytest.mark.anyio
async def test_all_articles_come_at_once_without_a_cookie(house: House) -> None:
    answer = await house.browser().get("/api/articles")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert [one["title"] for one in answer.json()] == [record.title for record in ARTICLES]
    assert {one["reviewed_by"] for one in answer.json()} == {""}


def test_a_rejected_article_is_not_shown_and_a_reviewed_one_carries_the_name(tmp_path: Path) -> None:
    said = {"reviewer": "王医生", "licence": "测试-1", "date": date(2026, 11, 30)}
    decisions = zip(ARTICLES[:3], ("reject", "accept", "change"), strict=True)
    append_reviews(
        reviews_path(tmp_path),
        [
            Review(key=one.id, words=one.content_hash, decision=what, text="改过的话。", **said)
            for one, what in decisions
        ],
    )
    shown = load_articles(tmp_path)
    assert len(shown) == len(ARTICLES) - 1
    assert [(one.title, one.reviewed_by) for one in shown[:2]] == [
        (ARTICLES[1].title, "王医生"),
        (ARTICLES[2].title, "王医生"),
    ]
    assert shown[1].text == "改过的话。"
