"""What two texts are about, compared without their words."""

import pytest

from psyllm.text.concepts import load_concepts
from psyllm.text.subjects import Passage, Subjects

SCHOOL = Passage("不想上学", "一到周日就难受")


def measured(held: Passage, asked: Passage) -> tuple[float, float]:
    subjects = Subjects(load_concepts(), [held])
    agreement, against = subjects.agreement(subjects.read(asked))
    return float(agreement[0]), float(against[0])


def test_the_same_matter_agrees_and_another_does_not():
    assert measured(SCHOOL, SCHOOL)[0] > 0.5
    assert measured(SCHOOL, Passage("老是忘了浇花", ""))[0] == 0


def test_a_matter_nearby_counts_for_a_part():
    same = measured(Passage("整夜失眠", ""), Passage("睡不着", ""))[0]
    near = measured(Passage("天天熬夜", ""), Passage("睡不着", ""))[0]
    assert 0 < near < 0.7 * same


def test_a_feeling_alone_is_no_matter():
    feeling = measured(Passage("很难过", ""), Passage("难过", ""))[0]
    assert 0 < feeling < 0.6 * measured(SCHOOL, SCHOOL)[0]


def test_a_keyword_tells_who_wrote_a_text():
    plain = Passage("不想上学", "", ("厌学",))
    pupil = Passage("不想上学", "", ("初中",))
    mother = Passage("孩子不想上学", "")
    assert measured(plain, mother)[1] == 1
    assert measured(pupil, mother)[1] < 0.7


def test_another_writer_argues_against_and_the_same_one_for():
    pupil = Passage("我高二，不想上学", "")
    mother = Passage("儿子不想上学", "")
    assert measured(SCHOOL, SCHOOL)[1] == 1
    assert measured(mother, pupil)[1] < 0.7
    assert measured(pupil, pupil)[1] > 1


@pytest.mark.parametrize("reversed_sides", [False, True])
def test_a_particular_matter_of_one_side_argues_against(reversed_sides):
    sides = [Passage("很自卑", ""), Passage("自卑，喜欢女生", "")]
    if reversed_sides:
        sides.reverse()
    assert measured(*sides)[1] == pytest.approx(0.6)


def test_much_that_no_concept_covers_lowers_the_agreement():
    plain = measured(SCHOOL, Passage("不想上学", ""))[0]
    strange = measured(SCHOOL, Passage("铁栅栏漆成绿色的那年春天起不想上学", ""))[0]
    assert strange < 0.85 * plain


def test_the_title_says_more_than_the_details():
    title = measured(Passage("不想上学", "别的也说不清"), Passage("不想上学", ""))[0]
    details = measured(Passage("别的也说不清", "不想上学"), Passage("不想上学", ""))[0]
    assert details < title
