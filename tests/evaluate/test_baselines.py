"""Baselines answer from the training split and from nothing else."""

from evaluate.world import question
from psyllm.evaluate.baselines import nearest_answers, random_answers
from psyllm.evaluate.questions import questions_of

TRAINING = list(questions_of(question(number, split="train") for number in range(8)))
ASKED = list(questions_of(question(number, split="test") for number in (9, 13, 20)))


def test_the_nearest_question_gives_its_answer():
    found = nearest_answers(ASKED[:1], TRAINING)
    # Number 9 is about the same topic as number 1.
    assert found[0].record == "train:01"
    assert found[0].text == TRAINING[1].references[0]
    assert 0 < found[0].match < 1


def test_the_same_words_match_wholly():
    [found] = nearest_answers(TRAINING[5:6], TRAINING)
    assert (found.record, round(found.match, 6)) == ("train:05", 1)


def test_without_a_word_in_common_nothing_is_found():
    strange = ASKED[0]._replace(prompt=(ASKED[0].prompt[0]._replace(text="zzz"),))
    assert nearest_answers([strange], TRAINING)[0].text == ""


def test_random_answers_come_from_training_and_repeat():
    found = random_answers(ASKED * 20, TRAINING, seed=4)
    assert found == random_answers(ASKED * 20, TRAINING, seed=4)
    assert found != random_answers(ASKED * 20, TRAINING, seed=5)
    assert {one.record for one in found} == {one.id for one in TRAINING}
    answers = {one.id: one.references[0] for one in TRAINING}
    assert all(one.text == answers[one.record] for one in found)


def test_no_test_answer_is_ever_given():
    own = {reference for question in ASKED for reference in question.references}
    for found in (nearest_answers(ASKED, TRAINING), random_answers(ASKED, TRAINING, seed=1)):
        assert not own & {one.text for one in found}
