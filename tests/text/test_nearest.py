"""The nearest texts and what their score means."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.core.starter import starter_records
from psyllm.text.nearest import FLOOR, Entry, NearestTexts

ENTRIES = [
    Entry("sleep", "晚上总是睡不着，第二天很累，怎么办？"),
    Entry("parents", "和父母吵架以后不知道怎么开口"),
    Entry("exam", "考试前特别紧张，手心出汗"),
    Entry("marks", "。。。！"),
]


def test_the_entry_with_the_same_theme_comes_first():
    texts = NearestTexts(ENTRIES)
    assert texts.find("最近整夜失眠")[0].key == "sleep"
    assert texts.find("备考很慌")[0].key == "exam"


def test_theme_wins_over_words_shared_by_accident():
    entries = [
        Entry("baby", "凌晨三点孩子一哭我就想摔东西", "生完四个月，孩子总是哭", ("产后",)),
        Entry("nights", "躺下就想事", "整夜失眠", ("睡眠",)),
    ]
    assert NearestTexts(entries).find("总是睡不着，凌晨三点还醒着")[0].key == "nights"


def test_the_score_falls_with_what_is_not_shared():
    texts = NearestTexts(ENTRIES)
    whole = texts.find("考试前特别紧张，手心出汗")[0]
    half = texts.find("考试前特别紧张，量子色动力学的夸克禁闭怎么推导出来")[0]
    assert whole.key == half.key == "exam"
    assert 1 >= whole.score > half.score > 0
    assert whole.score > FLOOR


def test_shared_concepts_are_told_the_weightiest_first():
    match = NearestTexts(ENTRIES).find("考试紧张")[0]
    assert match.concepts[0] == "exam"
    assert "tense" in match.concepts


def test_the_answer_for_the_one_who_speaks_comes_first():
    entries = [
        Entry("mother", "我天天骂他", "儿子不肯上学，关在房间里", ("不上学",)),
        Entry("pupil", "我初三，一到周日就慌", "我不想上学", ("不上学",)),
    ]
    texts = NearestTexts(entries)
    assert texts.find("我高二，不想上学")[0].key == "pupil"
    assert texts.find("女儿高二，不肯上学")[0].key == "mother"


def test_a_particular_matter_is_not_for_one_who_has_not_named_it():
    entries = [
        Entry("plain", "什么都做不好", "总觉得自己没用", ("自卑",)),
        Entry("coming-out", "我喜欢女生，不敢说", "讨厌自己喜欢女生", ("自卑", "出柜")),
    ]
    texts = NearestTexts(entries)
    plain, other = texts.find("我很自卑", k=2)
    assert plain.key == "plain"
    assert other.score < 0.7 * plain.score
    assert texts.find("我喜欢女生，很自卑")[0].key == "coming-out"


def test_keywords_that_nothing_covers_make_an_entry_less_general():
    bare = NearestTexts([Entry("1", "说不出口", "面对人就紧张，社恐", ("社恐",))])
    odd = NearestTexts([Entry("1", "说不出口", "面对人就紧张，社恐", ("社恐", "合唱", "领唱"))])
    assert odd.find("社恐怎么办")[0].score < bare.find("社恐怎么办")[0].score


def test_without_a_theme_only_nearly_the_same_words_reach_the_floor():
    entries = [Entry("walk", "沿着河边慢慢走了半个钟头，看野鸭子潜水，回来煮了一锅青菜粥。"), *ENTRIES]
    texts = NearestTexts(entries)
    assert texts.find("沿着河边慢慢走了半个钟头，看野鸭子潜水")[0].score > FLOOR
    assert all(match.score < FLOOR for match in texts.find("今天天气不错，推荐一部电影", k=5))


def test_nothing_in_common_is_no_match():
    texts = NearestTexts(ENTRIES)
    assert texts.find("zebra") == []
    assert texts.find("") == []
    assert texts.find("，。！") == []
    assert NearestTexts([]).find("睡不着") == []
    assert NearestTexts([Entry("marks", "！！")]).find("！！") == []


def test_excluded_keys_are_passed_over_and_k_is_kept():
    texts = NearestTexts(ENTRIES)
    assert [match.key for match in texts.find("睡不着，和父母吵架", k=1, exclude={"sleep"})] == ["parents"]
    assert len(texts.find("睡不着，和父母吵架", k=1)) == 1


def test_only_the_very_same_text_is_wholly_alike():
    texts = NearestTexts(ENTRIES)
    assert texts.find(ENTRIES[0].text)[0][:2] == ("sleep", 1)
    assert 0.5 < texts.find(ENTRIES[0].text + "呢")[0].score < 1


def test_of_two_alike_the_one_whose_answer_means_the_same_comes_first():
    entries = [
        Entry("baby", "睡不着怎么办", answer="宝宝夜里醒，先跟老公轮流起来喂奶，您白天补一觉。"),
        Entry(
            "job",
            "睡不着怎么办",
            answer="找工作、投简历、面试都不顺的时候，夜里会一直想。先把明天要投的写下来。",
        ),
    ]
    texts = NearestTexts(entries)
    assert texts.find("找不到工作，睡不着")[0].key == "job"
    assert texts.find("带孩子太累，睡不着")[0].key == "baby"
    bare = NearestTexts([Entry("job", "睡不着怎么办")])
    assert texts.find("找不到工作，睡不着")[0].score > bare.find("找不到工作，睡不着")[0].score


def test_a_little_meaning_shared_by_chance_is_no_match():
    assert NearestTexts(ENTRIES).find("量子力学") == []


def test_equal_entries_keep_their_order():
    texts = NearestTexts([Entry(str(number), "睡不着怎么办") for number in range(300)])
    assert [match.key for match in texts.find("睡不着", k=300)] == [str(number) for number in range(300)]


def test_the_library_says_nothing_while_indexing(capfd, caplog):
    with caplog.at_level(logging.DEBUG):
        NearestTexts(ENTRIES)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@given(
    st.lists(st.text("睡不着父母考试紧张怎么办，a1 "), max_size=6),
    st.text("睡不着父母考试紧，a1 ", max_size=12),
)
def test_scores_stay_between_nothing_and_all(texts, query):
    entries = [Entry(str(number), text) for number, text in enumerate(texts)]
    for match in NearestTexts(entries).find(query, k=10):
        assert 0 < match.score <= 1


@given(st.text("睡不着父母考试紧，a1 ", min_size=1, max_size=12))
def test_the_same_question_gives_the_same_answer(query):
    assert NearestTexts(ENTRIES).find(query, k=3) == NearestTexts(ENTRIES).find(query, k=3)


# What a person might type, and a keyword or part of the title that the match must carry one of.
THEMES = [
    ("儿子不肯去上学", "不上学"),
    ("爸妈要离婚了", "离"),
    ("老公喝了酒就打我", "家庭暴力"),
    ("生完孩子四个月，孩子一哭就烦躁", "产后"),
    ("总是拖延，论文写不出来", "拖延"),
    ("老是反复检查门有没有锁", "反复检查"),
    ("被裁员了不敢告诉家人", "失业 被裁 裁员"),
    ("朋友借钱不还", "借钱"),
    ("欠了网贷还不上", "债务 欠债 负债 网贷 欠款"),
    ("男朋友跟我分手了，走不出来", "分手 失恋"),
    ("控制不住吃东西，吃完又吐", "暴食 吃"),
    ("吃抗抑郁药会不会变傻", "药"),
    ("心理咨询真的有用吗", "咨询"),
    ("我奶奶去世了，我一直哭", "丧 走了 走的 离世 去世"),
    ("在班里被同学孤立", "孤立 友谊"),
    ("室友晚上打游戏太吵了", "宿舍 室友"),
    ("照顾瘫痪的妈妈好累", "照护 赡养"),
    ("老公出轨了怎么办", "出轨"),
    ("公务员考试又没考上", "考公 国考"),
    ("退休以后和老伴天天吵", "退休"),
    ("我妈总控制我", "控制 父母"),
    ("孩子玩手机", "手机 游戏"),
    ("孩子不想上学", "不上学"),
    ("爱上了一个已婚的人", "已婚"),
    ("总是胡思乱想", "担心 心慌 胡思乱想"),
    ("男朋友不理我", "冷战"),
    ("被同学欺负", "嘲笑 欺凌"),
    ("怎么忘掉前任", "忘不掉"),
    ("怎么挽回前任", "挽回"),
    ("压力好大", "压力"),
    ("怎么和父母沟通", "沟通"),
    ("上课总是走神", "走神"),
    ("不想上班", "不想上班"),
    ("要不要离婚", "离"),
]


@pytest.fixture(scope="module")
def bundled():
    questions = {record.id: record for record in starter_records() if record.kind == "question"}
    entries = [
        Entry(record.id, record.text, record.title, record.keywords, record.answers[0].text)
        for record in questions.values()
    ]
    return questions, NearestTexts(entries)


def test_people_s_words_find_their_theme_in_the_bundled_questions(bundled):
    questions, texts = bundled
    missed = []
    for asked, signs in THEMES:
        match = texts.find(asked)[0]
        record = questions[match.key]
        shown = record.title + "".join(record.keywords)
        if match.score < FLOOR or not any(sign in shown for sign in signs.split()):
            missed.append((asked, record.title, match.score))
    assert len(missed) <= 2, missed


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("找工作压力好大", "找不到工作"),
        ("丈夫出轨了还该挽回吗", "老公出轨了"),
        ("高考前的恐惧", "快高考了"),
    ],
)
def test_what_words_and_concepts_missed_is_among_the_nearest(bundled, asked, title):
    questions, texts = bundled
    matches = texts.find(asked, k=3)
    assert any(title in questions[match.key].title for match in matches)
    assert matches[0].score > FLOOR


def test_every_bundled_question_finds_itself(bundled):
    questions, texts = bundled
    for key, record in questions.items():
        match = texts.find(f"{record.title}\n{record.text}")[0]
        assert match.key == key
        assert match.score == 1
        assert all(match.score < 1 for match in texts.find(record.text))


def test_small_talk_finds_nothing_in_the_bundled_questions(bundled):
    _, texts = bundled
    for talk in ("今天天气不错", "推荐一部电影", "帮我写一首诗", "北京到上海的高铁多少钱"):
        assert all(match.score < FLOOR for match in texts.find(talk)), talk
