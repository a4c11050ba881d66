"""Forgetting one person leaves what others wrote, though it be in the same words or under the same id."""

import pytest

from forgotten_story import HERS, SECRET, collected, holds, question
from psyllm.clean.run import run as clean
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.forgetting import forget, marks_of
from psyllm.core.records import Answer, Record, Turn, read_records
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Stage, current_run
from psyllm.core.tombstones import answer_words, read_tombstones

THEIRS = "c" * 32
SHORT = "慢慢来，会好起来的。"
OPENER = "最近总在半夜醒来，"
LONGER = "白天在公司又不敢打瞌睡，怕组长说我没有精神，你说我该怎么办才好呢"


def answer(text, author):
    return Answer(text=text, author_hash=author)


def dialogue(key, turns):
    roles = ("visitor", "counsellor") * len(turns)
    spoken = tuple(Turn(role=role, text=text) for role, text in zip(roles, turns, strict=False))
    return Record(id=key, kind="dialogue", group=key, source="dia", licence="x", turns=spoken)


def left(data, run="site"):
    return {record.id: record for record in read_records(data / "1_collected" / run)}


def test_the_same_short_answer_of_another_author_stays(tmp_path):
    data = tmp_path / "data"
    both = (answer(SHORT, HERS), answer(SHORT, THEIRS), answer("别的" * 20, "d" * 32))
    collected(data, [question(1, answers=both), question(2, answers=(answer(SHORT, THEIRS),))])
    forget(data, marks_of((), [HERS], ()))
    assert [one.author_hash for one in left(data)["site:1"].answers] == [THEIRS, "d" * 32]
    assert [one.author_hash for one in left(data)["site:2"].answers] == [THEIRS]


@pytest.mark.parametrize("cleaned", [False, True])
def test_the_same_question_of_another_author_stays_with_its_answers(tmp_path, cleaned):
    data = tmp_path / "data"
    asked = {"title": "", "text": "晚上睡不着，白天没有精神，怎么办？" + OPENER * 3}
    mine, hers = question(1, **asked, author_hash=HERS), question(2, **asked, author_hash=THEIRS)
    collected(data, [mine, hers, question(3)])
    if cleaned:
        clean(CleanSettings(), data)
    forget(data, marks_of((), [HERS], ()))
    assert set(left(data)) == {"site:2", "site:3"}
    clean(CleanSettings(), data)
    assert "site:2" in {record.id for record in read_records(current_run(data, Stage.CLEANED))}


def test_the_same_question_of_another_author_stays_through_later_requests(tmp_path):
    data = tmp_path / "data"
    asked = {"title": "", "text": "晚上睡不着，白天没有精神，怎么办？" + OPENER * 3}
    mine, hers = question(1, **asked, author_hash=HERS), question(2, **asked, author_hash=THEIRS)
    collected(data, [mine, hers, question(3, author_hash="d" * 32)])
    for author in (HERS, HERS, "d" * 32):
        forget(data, marks_of((), [author], ()))
        assert "site:2" in left(data)
    known = read_tombstones(data)
    assert known.left_of(hers) is hers
    assert known.left_of(mine) is None
    assert known.left_of(mine.model_copy(update={"id": "other:1", "author_hash": ""})) is None


def test_words_without_an_author_go_when_they_are_too_long_to_be_anybody_s(tmp_path):
    data = tmp_path / "data"
    nameless = (Answer(text=SHORT), Answer(text=SECRET))
    collected(
        data,
        [question(1, answers=(answer(SHORT, HERS), answer(SECRET, HERS))), question(2, answers=nameless)],
    )
    forget(data, marks_of((), [HERS], ()))
    assert [one.text for one in left(data)["site:2"].answers] == [SHORT]


def test_a_text_without_an_author_that_was_named_stays_out_whoever_is_said_to_have_written_it(tmp_path):
    data = tmp_path / "data"
    thread = question(1, text=SECRET, title="", answers=(Answer(text=LONGER),))
    collected(data, [thread, question(2)])
    forget(data, marks_of((), (), [thread.content_hash]))
    tombstones = read_tombstones(data)
    assert tombstones.left_of(question(7, text=SECRET, title="", author_hash=THEIRS)) is None
    assert tombstones.left_of(question(8, answers=(answer(LONGER, THEIRS),))) is None


def test_the_answers_in_a_thread_that_was_named_stay_out_as_their_authors_only(tmp_path):
    data = tmp_path / "data"
    thread = question(1, text=SECRET, title="", answers=(answer(LONGER, THEIRS),))
    collected(data, [thread, question(2)])
    forget(data, marks_of((), (), [thread.content_hash]))
    again = question(8, answers=(answer(LONGER, THEIRS), answer(LONGER, "d" * 32), Answer(text=LONGER)))
    assert [one.author_hash for one in read_tombstones(data).left_of(again).answers] == ["d" * 32]


def test_another_file_may_give_the_same_ids_to_other_texts(tmp_path):
    data = tmp_path / "data"
    settings = CollectSettings(path=tmp_path / "input.csv", name="dia", licence="x")
    settings.path.write_text(
        f"id,question,answer\n1,{SECRET},{LONGER}\n2,{OPENER}怎么办,{LONGER}{OPENER}\n", "utf-8"
    )
    collect(settings, data)
    mine = left(data, "dia")["dia:1"]
    forget(data, marks_of((), (), [mine.content_hash]))
    settings.path.write_text(
        f"id,question,answer\n1,和室友吵架以后怎么开口,先说一件小事，不急着讲道理。\n2,{OPENER}怎么办,好\n",
        "utf-8",
    )
    manifest = collect(settings.model_copy(update={"replace": True}), data)
    assert manifest.drops == {}
    assert set(left(data, "dia")) == {"dia:1", "dia:2"}
    back = mine.model_copy(update={"text": mine.text + "！", "title": mine.title + "！"})
    assert read_tombstones(data).left_of(back) is None, "the same id and the same answer"


@pytest.mark.parametrize("change", ["one more turn", "first turn cut"])
def test_a_dialogue_forgotten_by_content_stays_out_when_it_comes_back_longer(tmp_path, change):
    data = tmp_path / "data"
    mine = dialogue("dia:1", [OPENER, "嗯，我听着。", LONGER, "愿意再说一点吗？"])
    collected(data, [mine, dialogue("dia:2", [OPENER, "多久了呢？", "半个月。", "嗯。"])], "dia")
    forget(data, marks_of((), (), [mine.content_hash]))
    spoken = [turn.text for turn in mine.turns]
    again = [*spoken, "谢谢"] if change == "one more turn" else spoken[2:]
    assert read_tombstones(data).left_of(dialogue("other:9", again)) is None
    assert set(left(data, "dia")) == {"dia:2"}


def test_a_dialogue_of_short_turns_is_known_by_how_it_opens(tmp_path):
    data = tmp_path / "data"
    mine = dialogue("dia:1", ["我把外婆的铜铃铛弄丢了", "那对你意味着什么呢？", "很多"])
    collected(data, [mine, dialogue("dia:2", ["你好", "你好"])], "dia")
    forget(data, marks_of((), (), [mine.content_hash]))
    spoken = [turn.text for turn in mine.turns]
    assert read_tombstones(data).left_of(dialogue("other:9", [*spoken, "嗯"])) is None
    assert read_tombstones(data).left_of(dialogue("other:8", [spoken[0], "别的"])) is not None
    assert not holds(data, spoken[0])


def test_a_list_of_before_still_keeps_nameless_texts_out():
    # The hash as it was written before marks were an author's.
    assert answer_words(SECRET).mark() == "d121c6d500560ec14a3026226010eec409809f7845130ee0f9f4521385ec4e76"
