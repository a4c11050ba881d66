"""Of a thread by many hands only what is meant goes, and its parts stay out under any other copy."""

import pytest

from forgotten_story import HERS, SECRET, balanced, collected, holds, question
from psyllm.clean.run import run as clean
from psyllm.core.forgetting import forget, marks_of
from psyllm.core.records import Answer, read_records, write_records
from psyllm.core.settings import CleanSettings
from psyllm.core.stages import Stage, StageRun, current_run, read_manifest, writing
from psyllm.core.tombstones import answer_words, read_tombstones

OTHERS = (
    "我也走过这样的路，后来每天傍晚去河边散步，慢慢就睡得着了，你不用急着好起来。"
    "要是愿意，可以先从十分钟开始，走到桥头就回来，路上听听鸟叫。"
)
AGAIN = (
    "先别责怪自己，把这件事写下来给信得过的人看看，说出来以后往往就轻了一些。"
    "也许他说不出什么大道理，可是有人听着，夜里就没有那么长。"
)


def hers(text=SECRET * 3):
    return Answer(text=text, author_hash=HERS)


def theirs(text=OTHERS, author="c" * 32):
    return Answer(text=text, author_hash=author)


def left(data, run="site"):
    return {record.id: record for record in read_records(data / "1_collected" / run)}


def kept(data):
    return {record.id: record for record in read_records(current_run(data, Stage.CLEANED))}


def test_what_cleaning_left_out_of_a_thread_is_not_deleted_with_the_rest(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(1, answers=(hers(), theirs("保重。"))), question(2)])
    clean(CleanSettings(), data)
    assert [one.author_hash for one in kept(data)["site:1"].answers] == [HERS]
    done = forget(data, marks_of((), [HERS], ()))
    assert [one.text for one in left(data)["site:1"].answers] == ["保重。"]
    assert done.ids == set()
    assert "site:1" not in kept(data)
    assert not holds(data, SECRET)
    assert not {manifest.stage for manifest in balanced(data)} - {"1_collected", "2_cleaned"}


def test_an_author_s_words_in_a_copy_without_names_go_too(tmp_path):
    data = tmp_path / "data"
    thread = question(1, answers=(hers(), theirs()))
    bare = tuple(one.model_copy(update={"author_hash": ""}) for one in thread.answers)
    collected(data, [thread, question(2)])
    copy = thread.model_copy(update={"id": "copy:1", "source": "copy", "url": "", "answers": bare})
    collected(data, [copy], "copy")
    clean(CleanSettings(), data)
    assert len(kept(data)) == 2
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)
    assert [one.text for one in left(data, "copy")["copy:1"].answers] == [OTHERS]
    collected(data, [copy], "later")
    clean(CleanSettings(), data)
    assert not holds(current_run(data, Stage.CLEANED), SECRET)


def test_a_crash_half_way_does_not_save_the_copy(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(1, answers=(theirs(), Answer(text=SECRET * 3)))], "copy")
    collected(data, [question(2, answers=(hers(), theirs(AGAIN)))])
    forget(data, marks_of((), [HERS], ()))
    # As if the process had died with only the named thread written again.
    collected(data, [question(1, answers=(theirs(), Answer(text=SECRET * 3)))], "copy")
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)


def test_words_that_anybody_writes_stay_with_everybody_else(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(1, answers=(hers("抱抱你。"),)), question(2, answers=(theirs("抱抱你。"),))])
    forget(data, marks_of((), [HERS], ()))
    assert set(left(data)) == {"site:2"}
    assert read_tombstones(data).answers == set()
    assert answer_words("抱抱你").mark() == "" != answer_words(OTHERS).mark()


def test_who_only_answered_does_not_take_the_question_along_for_good(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(1, answers=(hers(),))])
    forget(data, marks_of((), [HERS], ()))
    assert not holds(data, SECRET)
    collected(data, [question(1, answers=(hers(), theirs()))], "later")
    clean(CleanSettings(), data)
    assert [one.text for one in kept(data)["site:1"].answers] == [OTHERS]


@pytest.mark.parametrize("changed", ["one more answer", "another id", "another question"])
def test_a_thread_forgotten_by_content_stays_out_in_any_shape(tmp_path, changed):
    data = tmp_path / "data"
    thread = question(1, text=SECRET, title="", answers=(theirs(),))
    collected(data, [thread, question(2)])
    forget(data, marks_of((), (), [thread.content_hash]))
    again = {
        "one more answer": thread.model_copy(update={"answers": (theirs(), theirs(AGAIN))}),
        "another id": thread.model_copy(update={"id": "other:9", "url": "", "answers": (theirs(AGAIN),)}),
        "another question": question(9, answers=(theirs(f" {OTHERS}\n"), theirs(AGAIN))),
    }[changed]
    collected(data, [again], "again")
    clean(CleanSettings(), data)
    cleaned = current_run(data, Stage.CLEANED)
    assert not holds(cleaned, SECRET)
    assert not holds(cleaned, OTHERS)
    assert holds(cleaned, AGAIN) == (changed == "another question")


def test_a_thread_is_compared_again_without_a_forgotten_author_s_answers(tmp_path):
    data = tmp_path / "data"
    thread = question(
        1, title="", text="睡不着。", answers=(hers(), theirs("保重。"))
    )  # too short for marks of parts
    collected(data, [thread, question(2)])
    forget(data, marks_of((), [HERS], ()))
    stripped = left(data)["site:1"]
    forget(data, marks_of((), (), [stripped.content_hash]))
    assert set(left(data)) == {"site:2"}
    anew = thread.model_copy(update={"id": "other:1", "url": ""})
    assert read_tombstones(data).left_of(anew) is None


def test_the_lists_hold_no_words_and_no_ids(tmp_path):
    data = tmp_path / "data"
    thread = question(1, text=SECRET)
    collected(data, [thread])
    forget(data, marks_of([thread.url], (), ()))
    said = (data / "tombstones.jsonl").read_text("utf-8")
    assert "site:1" not in said
    assert all(len(mark) == 64 for marks in read_tombstones(data) for mark in marks)


def test_the_counts_of_each_source_are_true_afterwards(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(number) for number in range(5)])
    clean(CleanSettings(), data)
    forget(data, marks_of([question(3).url], (), ()))
    manifest = read_manifest(current_run(data, Stage.CLEANED))
    assert manifest.details["sources"] == {"site": {"read": 5, "kept": 4}}
    assert manifest.counts["records"] == 4


def test_pages_are_made_again_while_nobody_else_may_write(tmp_path):
    data = tmp_path / "data"
    collected(data, [question(1), question(2)])
    tried = []

    def remake(home):
        with (
            pytest.raises(Exception, match="another process writes"),
            writing(StageRun(home, Stage.COLLECTED, "other", "mark", (), {})),
        ):
            pass
        tried.append(home)
        write_records([question(7)], home / "1_collected" / "site", prefix="made")

    forget(data, marks_of([question(1).url], (), ()), remake=remake)
    assert tried == [data]
    assert len(list(balanced(data))) == 1
