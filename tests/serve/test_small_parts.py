"""Presence, throttle, bells, library, prompt, notices, release: the small parts alone."""

from datetime import date
from pathlib import Path

import pytest

from psyllm.casebook.kinds import MessageAuthor
from psyllm.core.language import Language
from psyllm.core.private import Private
from psyllm.core.records import Record, write_records
from psyllm.core.reviews import Review, append_reviews, reviews_path
from psyllm.core.stages import Stage, StageRun, writing
from psyllm.core.starter import LEVEL_BY_HAND, starter_records
from psyllm.safety.levels import Level
from psyllm.safety.notices import Notice
from psyllm.safety.release import current_hashes
from psyllm.safety.screen import screen
from psyllm.serve.answer import Library
from psyllm.serve.bells import Bells
from psyllm.serve.notices import Notices
from psyllm.serve.presence import FAILURE_WINDOW_S, MOST_FAILURES, Presence, Throttle
from psyllm.serve.released import model_hash, release_of
from psyllm.serve.reply import prompt
from psyllm.serve.screening import Screener
from serve_house import SHELF, question

VISITOR, MODEL, NOTICE = MessageAuthor.VISITOR, MessageAuthor.MODEL, MessageAuthor.NOTICE


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def turns(*texts: str) -> list[tuple[MessageAuthor, Private]]:
    return [(VISITOR, Private(text)) for text in texts]


def test_a_counsellor_is_present_for_a_while_after_the_last_request() -> None:
    clock = Clock()
    presence = Presence(120, clock)
    assert not presence.anybody()
    presence.see("lin")
    clock.now_s = 120
    assert presence.anybody()
    clock.now_s = 121
    assert not presence.anybody()
    presence.see("lin")
    presence.leave("lin")
    assert not presence.anybody()


def test_failures_are_forgotten_after_their_window() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(MOST_FAILURES):
        assert throttle.allows("lin")
        throttle.note("lin")
    assert not throttle.allows("lin")
    assert throttle.allows("wang")
    clock.now_s = FAILURE_WINDOW_S + 1
    assert throttle.allows("lin")


def test_a_throttle_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psyllm.serve.presence.MOST_NAMES", 3)
    throttle = Throttle()
    for name in "abcdef":
        throttle.note(name)
    assert len(throttle._failures) == 3


@pytest.mark.anyio
async def test_bells_ring_for_their_run_only_and_are_taken_down() -> None:
    bells = Bells()
    with bells.hang("one") as one, bells.hang("two") as two:
        bells.ring("one")
        assert (one.is_set(), two.is_set()) == (True, False)
        bells.close()
        assert two.is_set()
    assert bells._hung == {}


def bundled() -> list[Record]:
    """The bundled questions but those of people in danger, as a reader and screening agree."""
    questions = [record for record in starter_records() if record.kind == "question"]
    safe = {f"{LEVEL_BY_HAND}none", f"{LEVEL_BY_HAND}distress"}
    return [one for one in questions if safe & {*one.flags} or screen([one.opening()]).level < Level.RISK]


def test_the_library_holds_the_bundled_questions_and_what_the_corpus_may_show(tmp_path: Path) -> None:
    shown = question(90001, "养的猫走丢了很难过", "找了三天也没有找到。", "难过是因为你很爱它。")
    hidden = shown.model_copy(update={"id": "other:1", "may_show": False})
    with writing(StageRun(tmp_path, Stage.CORPUS, "corpus-1", "mark", (), {})) as stage_run:
        write_records([shown, hidden, *starter_records()], stage_run.folder, prefix="train")
        stage_run.finish(counts={})
    library = Library.load(tmp_path, 0.05)
    assert len(library) == sum(len(record.answers) for record in bundled()) + 1
    draft = library.nearest(turns("我养的猫走丢了，找了三天也没有找到"), ())
    assert draft is not None
    assert draft.source.title == "养的猫走丢了很难过"


def test_what_a_reader_found_harmless_stays_on_the_shelf_and_what_only_a_reader_saw_as_well() -> None:
    alarm = question(6, "我不想活了，这句话他天天挂在嘴边", "", "可以这样回他。")
    alarm = alarm.model_copy(update={"flags": (f"{LEVEL_BY_HAND}distress",)})
    unseen = question(7, "店今天关了，算过那笔钱", "", "先别一个人待着。")
    unseen = unseen.model_copy(update={"flags": (f"{LEVEL_BY_HAND}urgent",)})
    assert len(Library([alarm, unseen], 0.0)) == 2
    both = alarm.model_copy(update={"flags": (f"{LEVEL_BY_HAND}risk",)})
    assert len(Library([both], 0.0)) == 0


def test_what_a_reviewer_rejected_is_shown_by_no_older_corpus_and_what_was_accepted_carries_the_name(
    tmp_path: Path,
) -> None:
    first, second = [one for one in bundled() if one.keywords][:2]
    with writing(StageRun(tmp_path, Stage.CORPUS, "corpus-1", "mark", (), {})) as stage_run:
        write_records(list(starter_records()), stage_run.folder, prefix="train")
        stage_run.finish(counts={})
    whole = len(Library.load(tmp_path, 0.05))
    said = {"reviewer": "王医生", "licence": "测试-1", "date": date(2026, 11, 30)}
    append_reviews(
        reviews_path(tmp_path),
        [
            Review(key=first.id, words=first.content_hash, decision="reject", **said),
            Review(key=second.id, words=second.content_hash, decision="accept", **said),
        ],
    )
    library = Library.load(tmp_path, 0.05)
    assert len(library) == whole - 1
    draft = library.nearest(turns(f"{second.title}。{second.text}"), ())
    assert draft is not None
    assert (draft.source.title, draft.source.reviewed_by) == (second.title, "王医生")


def test_an_answer_to_somebody_in_danger_is_never_shown_to_anybody_else() -> None:
    danger = question(5, "我不想活了，已经写好了遗书", "今晚就走。", "请现在就拨打急救电话。")
    library = Library([*SHELF, danger], 0.0)
    assert len(library) == len(SHELF)


def test_the_library_answers_nearly_every_bundled_question_with_its_own_answer() -> None:
    records = bundled()
    library = Library(records, 0.05)
    own = 0
    for record in records:
        draft = library.nearest(turns(record.opening()), ())
        assert draft is not None
        assert draft.source.written_here
        own += (draft.source.key or "").startswith(f"{record.id}#")
    assert own >= 0.95 * len(records)


def test_nothing_under_the_floor_and_nothing_shown_twice() -> None:
    assert Library(SHELF, 0.12).nearest(turns("量子力学"), ()) is None
    assert Library(SHELF, 1.01).nearest(turns("晚上睡不着"), ()) is None
    assert Library([], 0.1).nearest(turns("晚上睡不着"), ()) is None
    library = Library(SHELF, 0.12)
    first = library.nearest(turns("晚上睡不着"), ())
    assert first is not None
    second = library.nearest(turns("晚上睡不着"), {first.source.key})
    assert second is not None
    assert second.source.key != first.source.key


def test_a_short_follow_up_is_searched_for_with_what_was_said_before() -> None:
    draft = Library(SHELF, 0.12).nearest(turns("考试前我总是很紧张，手会发抖", "那怎么办"), ())
    assert draft is not None
    assert draft.source.title == "考试前很紧张"


def test_a_prompt_has_no_notices_and_joins_turns_of_one_side() -> None:
    said = [
        (VISITOR, Private("一")),
        (NOTICE, Private("通知")),
        (VISITOR, Private("二")),
        (MODEL, Private("答")),
        (VISITOR, Private("三")),
    ]
    assert [tuple(message) for message in prompt(said)] == [
        ("visitor", "一\n二"),
        ("counsellor", "答"),
        ("visitor", "三"),
    ]


def test_the_services_own_texts_hold_no_number() -> None:
    for notice in Notices.load():
        assert set(notice) == set(Language)
        for text in notice.values():
            assert len(text) > 20
            if text.reveal() not in {Notice.HELP.words(one) for one in Language}:
                assert not any(character.isdigit() for character in text.reveal())


@pytest.mark.anyio
async def test_the_real_screening_reaches_the_judgement() -> None:
    screener = Screener()
    calm = await screener.judge([Private("最近工作有点忙")])
    danger = await screener.judge([Private("我不想活了，已经写好了遗书")])
    english = await screener.judge([Private("I want to kill myself tonight")], Language.EN)
    empty = await screener.judge([])
    screener.close()
    assert calm.level is Level.NONE
    assert danger.level >= Level.RISK
    assert danger.rules
    assert danger.lexicon_version
    assert danger.notice.reveal() in {one.words(Language.ZH) for one in Notice}
    assert english.level >= Level.RISK
    assert english.notice.reveal() in {one.words(Language.EN) for one in Notice}
    assert (empty.level, empty.rules) == (Level.RISK, ("screening_failed",))


def test_nothing_is_released_without_a_signed_report(tmp_path: Path) -> None:
    assert not release_of(tmp_path).signed
    assert model_hash(tmp_path) == "none"
    assert current_hashes("none")["model"] == "none"
