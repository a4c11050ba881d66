import numpy as np
import pytest

from psyllm.clean import linear_score, topic
from psyllm.clean.drop import Drop
from psyllm.core.records import Answer, Record
from psyllm.core.settings import CleanSettings
from psyllm.core.starter import starter_records

TROUBLE = "焦虑是人面对压力时常有的情绪。长期的焦虑会影响睡眠，也会让人心情低落，可以和咨询师谈一谈，学习放松和接纳自己的感受。"
NEWS = "本报讯 全国铁路春运工作会议昨日在京召开，会议部署了今年运输生产任务，要求各路局增开列车，保证重点物资和旅客运输。"


def document(text, **fields):
    return Record(
        **{
            "id": "a:1",
            "kind": "document",
            "group": "a:1",
            "source": "a",
            "licence": "x",
            "text": text,
            **fields,
        }
    )


def test_an_article_on_troubles_scores_high_and_news_low():
    assert topic.score_topic(document(TROUBLE), least=0.1).topic_score > 0.5
    assert topic.score_topic(document(NEWS), least=0.1) == Drop("off_topic")


def test_the_floor_is_a_setting_and_general_text_is_left_alone():
    assert topic.score_topic(document(NEWS), least=0).topic_score < 0.1
    general = document(NEWS, source="general")
    assert topic.score_topic(general, least=0.9) is general


def test_no_article_of_ours_falls_under_the_floor():
    documents = [record for record in starter_records() if record.kind == "document"]
    least = CleanSettings().least_topic_score
    assert documents
    assert not [
        record.title for record in documents if topic.score_topic(record, least=least) == Drop("off_topic")
    ]


def test_only_documents_are_dropped():
    asked = document("", kind="question", title=NEWS, answers=(Answer(text=NEWS),))
    assert topic.score_topic(asked, least=0.9).topic_score < 0.1


def test_scoring_again_changes_nothing():
    once = topic.score_topic(document(TROUBLE), least=0.1)
    assert topic.score_topic(once, least=0.1) is once


@pytest.mark.parametrize("text", ["", "我"])
def test_a_text_too_short_for_a_pair_has_the_bias(text):
    table = linear_score.LinearScore(np.zeros(2**linear_score.BITS, dtype=np.int8), 1.0, -0.5)
    assert table.of(text) == -0.5


def test_a_score_is_the_mean_weight_of_pairs_and_triples():
    weights = np.zeros(2**linear_score.BITS, dtype=np.int8)
    pair, other, triple = linear_score.buckets("睡不着")
    weights[[pair, other, triple]] = (10, 20, 60)
    assert linear_score.LinearScore(weights, 0.5, 1.0).of("睡不着") == pytest.approx(1.0 + 0.5 * 30)
    assert list(linear_score.buckets("😀😀")) == list(linear_score.buckets("😢🌟"))
