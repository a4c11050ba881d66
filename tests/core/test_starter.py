"""The bundled texts: shape, spans, lengths, balance, and what they must never say."""

import itertools
import json
import re
from collections import Counter

import pytest

from psyllm.core.starter import LEVEL_BY_HAND, STARTER, starter_records

TOPICS = {"行为", "恋爱", "成长", "情绪", "人际", "家庭", "治疗", "职业", "婚姻"}
# PsyQA's seven. Self-disclosure stays unused: what a program shows may not claim a life of its own.
TYPES = {
    "Interpretation",
    "Direct Guidance",
    "Others",
    "Approval and Reassurance",
    "Self-disclosure",
    "Restatement",
    "Information",
}
LEVELS = {"none", "distress", "risk", "urgent", "in_progress"}
AGES = {"13-17": 40, "18-24": 60, "25-34": 60, "35-49": 60, "50-64": 40, "65-75": 30}
NUMBERS = {"12356", "12355", "120", "110"}
FORBIDDEN = {
    "promise": "一定会|肯定|保证(?:你|会|能)|会好的|都会过去|治好|根治|治愈|没问题",
    "absolute or superlative": "绝对|毫无疑问|最有效|最佳|最好的(?:办法|方法)|唯一的(?:办法|出路)|百分之|百分百",
    "diagnosis": "抑郁|焦虑症|双相|强迫症|精神分裂|人格障碍|惊恐障碍|恐惧症|社恐|多动症|自闭|厌食症|暴食症|创伤后|妄想|躁狂",
    "drug or dose": "舍曲林|氟西汀|帕罗西汀|安定片|奥氮平|喹硫平|碳酸锂|毫克|[0-9一二两三四五半]片药|剂量|(?i:mg)",
    "endearment or kinship": "亲爱的|宝贝(?!儿)|(?:^|[。？\\n])(?:孩子|妹妹|弟弟|姐姐|哥哥|闺女|姑娘)，",
    "slogan": "加油|愿你|祝你(?!生日)|相信(?:你|自己)|你值得|抱抱你|拥抱你|看开|谢谢你的信任",
    "blame": "都怪你|(?<!不)是你的错(?!吗)|你应该反思|你不应该|(?<!不是)你太(?:矫情|敏感|脆弱)",
    "claim without a source": "研究(?:表明|发现|显示)|数据显示|科学(?:家|证明)|专家(?:说|认为|建议)|心理学家|大多数人都|统计",
    "claim of a life of its own": "我也有过|我当年|我年轻的时候|我见过(?:很多|不少)|我们咨询师|我们医生|作为(?:一名|一个)?咨询师",
    "claim that somebody was told": "已经(?:通知|联系|告诉)了?(?:你的|老师|家人|家长|警察)|有人正在赶",
    "promise about a line": "24 ?小时(?:都)?(?:有人|在线)|随时都?有人接|一定有人接|打得通",
    "loudness or ornament": "[！!—–]|(?<!…)…(?!…)",
    "scaffold": "首先，|其次，|综上|总而言之|(?:^|[。：\\n])第[一二]，",
}
CONTENT = json.loads(STARTER.read_text("utf-8"))
QUESTIONS = CONTENT["questions"]
ANSWERS = [answer["answer_text"] for question in QUESTIONS for answer in question["answers"]]
SPANS = [answer["labels_sequence"] for question in QUESTIONS for answer in question["answers"]]
DIALOGUES = CONTENT["dialogues"]
COUNSELLOR = [
    turn["text"] for dialogue in DIALOGUES for turn in dialogue["turns"] if turn["role"] == "counsellor"
]
ARTICLES = [article["text"] for article in CONTENT["articles"]]


def han(text):
    return len(re.findall(r"[一-鿿]", text))


def is_common(character):
    """Whether a character is one of the 3,755 common ones: level 1 of GB 2312 (rows 16 to 55)."""
    try:
        return 0xB0 <= character.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def test_there_are_300_questions_60_dialogues_and_50_articles_over_the_nine_topics():
    assert len(QUESTIONS) >= 300
    assert len(DIALOGUES) >= 60
    assert len(ARTICLES) >= 50
    topics = Counter(question["keywords"].split(",")[0] for question in QUESTIONS)
    assert set(topics) == TOPICS
    assert min(topics.values()) >= 25
    assert max(topics.values()) <= 2 * min(topics.values())


def test_askers_are_of_every_age_from_13_to_75():
    ages = [question["age"] for question in QUESTIONS]
    assert (min(ages), max(ages)) == (13, 75)
    for span, fewest in AGES.items():
        low, high = map(int, span.split("-"))
        assert sum(low <= age <= high for age in ages) >= fewest, span


def test_questions_have_the_shape_of_psyqa():
    ids = [question["questionID"] for question in QUESTIONS]
    assert len(ids) == len(set(ids))
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        assert {"question", "description", "keywords", "answers", "questionID"} <= set(question)
        assert 2 <= len(question["keywords"].split(",")) <= 4
        assert question["level"] in LEVELS
        for answer in question["answers"]:
            assert answer["has_label"] == (answer["labels_sequence"] is not None)


def test_questions_are_long_and_short():
    lengths = sorted(han(question["question"] + question["description"]) for question in QUESTIONS)
    assert lengths[len(lengths) // 5] <= 45
    assert lengths[-len(lengths) // 10] >= 150


def test_spans_are_contiguous_and_cover_the_answer():
    for question in QUESTIONS:
        for answer in question["answers"]:
            spans = answer["labels_sequence"]
            assert spans[0]["start"] == 0
            assert spans[-1]["end"] == len(answer["answer_text"])
            assert all(a["end"] == b["start"] for a, b in itertools.pairwise(spans))
            assert {span["type"] for span in spans} <= TYPES


def test_no_two_answers_share_their_first_12_characters_or_a_run_of_30():
    assert len({answer[:12] for answer in ANSWERS}) == len(ANSWERS)
    owner = {}
    for number, answer in enumerate(ANSWERS):
        for start in range(len(answer) - 29):
            run = answer[start : start + 30]
            assert owner.setdefault(run, number) == number, run


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_text_says_what_must_not_be_said(name):
    pattern = re.compile(FORBIDDEN[name])
    texts = ANSWERS + ARTICLES + COUNSELLOR
    assert [
        text[found.start() - 12 : found.end() + 12] for text in texts for found in pattern.finditer(text)
    ] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("promise", "你一定会好起来。"),
        ("absolute or superlative", "这是最有效的办法。"),
        ("diagnosis", "你可能是强迫症。"),
        ("drug or dose", "每晚吃两片药。"),
        ("endearment or kinship", "好了。孩子，别怕。"),
        ("slogan", "加油，相信自己。"),
        ("blame", "这都怪你。"),
        ("claim without a source", "研究表明睡眠很重要。"),
        ("claim of a life of its own", "我也有过这样的夜晚。"),
        ("claim that somebody was told", "我已经通知了你的家人。"),
        ("promise about a line", "12356随时有人接。"),
        ("loudness or ornament", "别怕！"),
        ("scaffold", "首先，深呼吸。"),
    ],
)
def test_what_must_not_be_said_would_be_found(name, text):
    assert re.search(FORBIDDEN[name], text)


def test_lengths_are_readable():
    assert all(200 <= han(text) <= 600 for text in ANSWERS)
    assert all(600 <= han(text) <= 1500 for text in ARTICLES)


def test_a_tired_person_can_read_it():
    """Common characters, short sentences: measured, because nobody sees their own long ones."""
    for text in ANSWERS + ARTICLES:
        characters = re.findall(r"[一-鿿]", text)
        rare = [character for character in characters if not is_common(character)]
        assert len(rare) <= 0.02 * len(characters), (text[:20], "".join(rare))
        sentences = [part for part in re.split(r"[。？！\n]", text) if part]
        assert max(map(len, sentences)) <= 100, max(sentences, key=len)
        clauses = [part for part in re.split(r"[。？！，、；：\n“”]", text) if part]
        assert sum(map(len, clauses)) / len(clauses) <= 12, text[:20]


def test_strategies_vary():
    orders = Counter(tuple(span["type"] for span in spans) for spans in SPANS)
    assert orders.most_common(1)[0][1] <= 0.15 * len(SPANS)
    used = Counter(kind for spans in SPANS for kind in {span["type"] for span in spans})
    assert min(used[kind] for kind in TYPES - {"Self-disclosure"}) >= 90
    assert all(len({span["type"] for span in spans}) >= 3 for spans in SPANS)
    assert all(a["type"] != b["type"] for spans in SPANS for a, b in itertools.pairwise(spans))


def test_at_least_a_third_ask_back_or_offer_another_view():
    pairs = zip(ANSWERS, SPANS, strict=True)
    others = [
        [text[one["start"] : one["end"]] for one in spans if one["type"] == "Others"] for text, spans in pairs
    ]
    assert sum(bool(parts) for parts in others) >= len(ANSWERS) / 3
    assert sum("？" in "".join(parts) for parts in others) >= len(ANSWERS) / 3


def test_no_two_answers_or_questions_are_nearly_the_same():
    for texts, most in ((ANSWERS, 0.1), ([one["question"] + one["description"] for one in QUESTIONS], 0.3)):
        grams = [{text[place : place + 4] for place in range(len(text) - 3)} for text in texts]
        near = [
            (a, b)
            for (a, one), (b, two) in itertools.combinations(enumerate(grams), 2)
            if one and two and len(one & two) > most * len(one | two)
        ]
        assert near == []


def test_answers_end_in_many_ways():
    ends = Counter(text[-6:] for text in ANSWERS)
    assert ends.most_common(1)[0][1] <= 0.04 * len(ANSWERS)
    assert Counter(text[:2] for text in ANSWERS).most_common(1)[0][1] <= 0.03 * len(ANSWERS)


def test_nearly_every_answer_says_where_a_person_helps():
    places = "医院|医生|急诊|精神科|心理科|心理中心|心理老师|咨询师|辅导员|班主任|社区|妇联|法律援助|12356|12355|120|110|老师"
    assert sum(bool(re.search(places, text)) for text in ANSWERS) >= 0.97 * len(ANSWERS)


@pytest.mark.parametrize(
    "theme",
    [
        "睡",
        "惊恐|心慌",
        "考试",
        "拖延",
        "失去亲人|走了",
        "分手",
        "产后|生完",
        "欺负",
        "想伤害自己|熬过",
        "不想活",
        "第一次去",
        "心理咨询是什么",
        "吃药",
        "手机",
        "退休",
    ],
)
def test_an_article_stands_for_every_asked_theme(theme):
    assert any(re.search(theme, article["title"] + article["text"][:60]) for article in CONTENT["articles"])


def test_no_number_but_the_directorys_stands_in_a_text():
    for text in ANSWERS + ARTICLES + COUNSELLOR:
        assert set(re.findall(r"\d{3,}", text)) <= NUMBERS


def test_nothing_claims_a_review_that_did_not_happen():
    answers = [answer for question in QUESTIONS for answer in question["answers"]]
    for item in [*answers, *DIALOGUES, *CONTENT["articles"]]:
        assert item["written_for_this_project"] is True
        assert item["reviewed_by"] == ""


def test_dialogues_alternate_and_end_with_the_counsellor():
    for dialogue in DIALOGUES:
        roles = [turn["role"] for turn in dialogue["turns"]]
        assert 6 <= len(roles) <= 16
        assert roles == ["visitor", "counsellor"] * (len(roles) // 2)
        assert dialogue["topic"] in TOPICS
        assert dialogue["reviewed_by"] == ""


def test_at_least_fifteen_dialogues_have_risk_and_their_counsellor_names_emergency_help():
    danger = [dialogue for dialogue in DIALOGUES if dialogue["level"] in {"risk", "urgent", "in_progress"}]
    assert len(danger) >= 15
    for dialogue in danger:
        words = "".join(turn["text"] for turn in dialogue["turns"] if turn["role"] == "counsellor")
        assert any(number in words for number in ("120", "110", "12356")), dialogue["turns"][0]["text"]


def test_no_two_counsellor_turns_begin_alike():
    long = [text[:12] for text in COUNSELLOR if len(text) > 20]
    assert len(set(long)) == len(long)


def test_records_carry_text_licence_and_permission_to_show():
    records = list(starter_records())
    assert Counter(record.kind for record in records) == {
        "question": len(QUESTIONS),
        "dialogue": len(DIALOGUES),
        "document": len(ARTICLES),
    }
    assert len({record.id for record in records}) == len(records)
    assert all(record.may_show and record.licence == "CC-BY-4.0" for record in records)
    judged = [record for record in records if record.kind != "document"]
    assert all([flag.startswith(LEVEL_BY_HAND) for flag in record.flags] == [True] for record in judged)
