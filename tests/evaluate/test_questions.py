"""Records become questions with their people's answers, and a sample of them."""

from evaluate.world import dialogue, question
from psyllm.core.records import Answer, Record, Turn
from psyllm.evaluate.questions import Asked, draw, questions_of
from psyllm.lm.template import Message


def bare(number):
    return Asked(str(number), (Message("visitor", "问"),), ("答",))


def test_a_question_asks_its_opening_and_keeps_every_answer():
    record = question(3, split="test", answers=2)
    [asked] = questions_of([record])
    assert asked.prompt == (Message("visitor", record.opening()),)
    assert asked.references == tuple(answer.text for answer in record.answers)


def test_a_dialogue_asks_for_its_last_counsellors_turn():
    [asked] = questions_of([dialogue(1, split="test")])
    assert [message.role for message in asked.prompt] == ["visitor", "counsellor", "visitor"]
    assert asked.references == ("听起来考试让你很辛苦，谢谢你愿意告诉我。",)
    assert asked.question() == "你好，我想说说考试。\n考试让我很累，第1次了。"


def test_what_nobody_asks_or_answers_is_left_out():
    common = {"group": "g", "source": "s", "licence": "l"}
    records = [
        Record(id="document", kind="document", text="一篇文章", **common),
        Record(id="unanswered", kind="question", title="问", **common),
        Record(id="blank", kind="question", title="问", answers=(Answer(text="  "),), **common),
        Record(id="greeting", kind="dialogue", turns=(Turn(role="counsellor", text="你好"),), **common),
        Record(id="alone", kind="dialogue", turns=(Turn(role="visitor", text="你好"),), **common),
    ]
    assert list(questions_of(records)) == []


def test_dialogues_put_each_answer_after_the_prompt():
    asked = Asked("a", (Message("visitor", "问"),), ("一", "二"))
    assert [dialogue[-1].text for dialogue in asked.dialogues()] == ["一", "二"]


def test_a_draw_keeps_order_repeats_and_grows_by_adding():
    questions = [bare(number) for number in range(50)]
    ten = draw(questions, 10, seed=1)
    assert ten == draw(questions, 10, seed=1)
    assert [int(one.id) for one in ten] == sorted(int(one.id) for one in ten)
    assert set(ten) < set(draw(questions, 20, seed=1))
    assert ten != draw(questions, 10, seed=2)
    assert draw(questions, 500, seed=1) == questions
