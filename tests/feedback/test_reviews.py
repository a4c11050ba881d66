"""What is settled leaves the casebook under pseudonyms, with figures; what is forgotten does not."""

import asyncio
import json
from pathlib import Path

import pytest

from casebook_story import answer_from_library, ask, hire, put_blank_casebook
from cleaned_story import dialogue, put_cleaned, question
from psyllm.casebook import admin, ratings, reviews
from psyllm.casebook.consented import record_id
from psyllm.casebook.kinds import ReviewReason, ReviewVerdict, Role
from psyllm.casebook.open import casebook_path, casebook_url, open_casebook
from psyllm.casebook.place import note_path, note_place
from psyllm.casebook.ratings import Marks
from psyllm.casebook.reviews import Judged, Reviewed
from psyllm.clean.draw import draw
from psyllm.core.forgetting import forget, marks_of
from psyllm.core.private import Private
from psyllm.core.settings import FeedbackSettings
from psyllm.core.settled_reviews import DECISIONS, EditedTexts, read_settled, reviews_folder
from psyllm.core.stages import Stage, complete_runs, file_hash
from psyllm.feedback.reviews import present_figures, write_reviews
from psyllm.feedback.run import run as feedback

ACCEPT = Judged(ReviewVerdict.ACCEPT)
REJECT = Judged(ReviewVerdict.REJECT, ReviewReason.HARMFUL, Private("一句备注"))
SECRET = "只在改过的文字里有的一句话"


def edit(record, text=SECRET):
    turns = (text, *(turn.text for turn in record.turns[1:]))
    return Judged(ReviewVerdict.EDIT, edited=Private(EditedTexts(turns=turns).model_dump_json()))


def decided(data: Path, *decisions) -> None:
    """People decide: (record, dropped for, what each of them says, in order)."""

    async def all_of_them() -> None:
        book = await open_casebook(casebook_url(data))
        people = [await hire(book, name) for name in ("lin", "wang")]
        people.append(await hire(book, "boss", Role.SUPERVISOR))
        for record, reason, *said in decisions:
            what = Reviewed(record.id, record.content_hash, reason)
            for person, judged in zip(people, said, strict=False):
                await reviews.decide(book, person, what, judged)
        await book.close()

    put_blank_casebook(data)
    asyncio.run(all_of_them())


KEPT = [*(dialogue(number) for number in range(4)), dialogue(9, flags=("level:risk",)), question(1)]
DROPPED = [(dialogue(20), "few_turns")]


def story(data: Path) -> None:
    put_cleaned(data, KEPT, DROPPED)
    draw(data, 50, seed=1)
    decided(
        data,
        (KEPT[0], "", ACCEPT, ACCEPT),
        (KEPT[1], "", REJECT, REJECT),
        (KEPT[2], "", edit(KEPT[2]), ACCEPT, edit(KEPT[2])),
        (KEPT[3], "", ACCEPT),
        (KEPT[4], "", ACCEPT, REJECT),
        (DROPPED[0][0], "few_turns", ACCEPT, ACCEPT),
    )


def test_only_what_is_settled_is_written_and_nobody_is_named(tmp_path):
    story(tmp_path)
    manifest = write_reviews(tmp_path)
    settled = read_settled(tmp_path)
    assert {key[0]: one.verdict for key, one in settled.items()} == {
        "talks:0": "accept",
        "talks:1": "reject",
        "talks:2": "edit",
        "talks:20": "accept",
    }
    assert manifest.counts == {"records": 0, "decisions": 4}
    one = settled["talks:2", KEPT[2].content_hash]
    # The second of the three accepted it as it was.
    assert (one.edited.turns[0], len(one.reviewers)) == (SECRET, 2)
    assert settled["talks:1", KEPT[1].content_hash].reasons == ("harmful",)
    assert settled["talks:20", DROPPED[0][0].content_hash].dropped_for == "few_turns"
    written = "".join(path.read_text("utf-8") for path in reviews_folder(tmp_path).iterdir())
    assert not [word for word in ("lin", "wang", "boss", "一句备注") if f'"{word}"' in written]


def test_figures_tell_coverage_agreement_and_errors(tmp_path):
    story(tmp_path)
    found = present_figures(tmp_path)
    assert (found["items"], found["decided_by_two"], found["disputed"], found["reviewers"]) == (7, 5, 1, 3)
    # Blind pairs: aa, rr, ea, ar, aa.
    assert found["agreement"]["value"] == 0.6
    assert 0 < found["alpha"]["value"] < 1
    rows = {row["stratum"]: row for row in found["coverage"]}
    talks = rows["kept/talks/dialogue"]
    assert [talks[name] for name in ("population", "drawn", "settled", "accept", "edit", "reject")] == [
        4,
        4,
        3,
        1,
        1,
        1,
    ]
    assert rows["kept/talks/dialogue/risk"]["settled"] == 0
    kept, dropped = found["estimates"]["kept_rejected_or_edited"], found["estimates"]["dropped_wrongly"]
    assert (kept["covered"], kept["population"], kept["of"]) == (4, 6, 3)
    assert kept["value"] == 2 / 3
    assert (dropped["value"], dropped["of"]) == (1, 1)


def test_what_was_read_in_an_earlier_run_says_nothing_of_the_present_one(tmp_path):
    story(tmp_path)
    # Cleaning applied what was decided: the rejected one is gone, an edited one says something else.
    more = [dialogue(number) for number in range(30, 40)]
    put_cleaned(tmp_path, [KEPT[0], *KEPT[3:], *more], name="cleaned-two")
    draw(tmp_path, 50, seed=1, decided=admin.decided_items(tmp_path))
    found = present_figures(tmp_path)
    rows = {row["stratum"]: row for row in found["coverage"]}
    talks = rows["kept/talks/dialogue"]
    assert [talks[name] for name in ("population", "drawn", "settled")] == [10, 10, 0]
    assert found["estimates"]["kept_rejected"]["value"] is None
    assert found["decided_by_two"] == 5


def test_the_run_is_written_once_and_goes_when_nothing_is_decided(tmp_path):
    story(tmp_path)
    first = feedback(FeedbackSettings(), tmp_path)
    [run] = complete_runs(tmp_path, Stage.FEEDBACK)
    assert (run.run, first.run) == ("reviews", "casebook")
    assert write_reviews(tmp_path).finished_at == run.finished_at
    admin.erase_reviews(tmp_path, [record.id for record in (*KEPT, DROPPED[0][0])])
    assert write_reviews(tmp_path) is None
    assert complete_runs(tmp_path, Stage.FEEDBACK) == []


@pytest.mark.parametrize("damage", ["torn", "emptied", "gone"])
def test_a_damaged_file_of_decisions_is_written_again(tmp_path, damage):
    story(tmp_path)
    write_reviews(tmp_path)
    path = reviews_folder(tmp_path) / DECISIONS
    whole = path.read_bytes()
    path.write_bytes(whole[:-30] if damage == "torn" else b"")
    if damage == "gone":
        path.unlink()
    manifest = write_reviews(tmp_path)
    assert path.read_bytes() == whole
    assert manifest.files[DECISIONS] == file_hash(path)


def test_decisions_are_erased_in_the_folders_own_file_too_when_the_casebook_moved(tmp_path):
    story(tmp_path)
    moved = tmp_path / "moved.sqlite3"
    moved.write_bytes(casebook_path(tmp_path).read_bytes())
    note_place(tmp_path, f"sqlite+aiosqlite:///{moved}")
    ids = [record.id for record in (*KEPT, DROPPED[0][0])]
    both = admin.erase_reviews(tmp_path, ids)
    note_path(tmp_path).unlink()
    assert both > 0
    assert both % 2 == 0
    assert admin.erase_reviews(tmp_path, ids) == 0


def test_without_a_casebook_there_is_nothing(tmp_path):
    assert write_reviews(tmp_path) is None
    assert admin.erase_reviews(tmp_path, ["talks:1"]) == 0
    assert admin.decided_items(tmp_path) == frozenset()
    assert not casebook_path(tmp_path).exists()


def test_forgetting_takes_edited_words_out_of_run_and_casebook(tmp_path):
    story(tmp_path)
    write_reviews(tmp_path)
    assert admin.decided_items(tmp_path)
    marks = marks_of((), (), (KEPT[2].content_hash,))
    forget(tmp_path, marks, lambda ids: admin.erase_reviews(tmp_path, ids))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    [run] = complete_runs(tmp_path, Stage.FEEDBACK)
    assert run.files["decisions.jsonl"]
    assert {one["id"] for one in map(json.loads, _lines(tmp_path))} == {"talks:0", "talks:1", "talks:20"}


def test_forgetting_an_author_takes_out_edits_of_the_record_that_stays(tmp_path):
    asked = question(1)
    one = asked.answers[0].model_copy(update={"author_hash": "c" * 32})
    asked = asked.model_copy(update={"answers": (one, asked.answers[1])})
    put_cleaned(tmp_path, [asked])
    texts = EditedTexts(title=asked.title, text=asked.text, answers=(SECRET, "好"))
    change = Judged(ReviewVerdict.EDIT, edited=Private(texts.model_dump_json()))
    decided(tmp_path, (asked, "", change, change))
    write_reviews(tmp_path)
    forget(tmp_path, marks_of((), ("c" * 32,), ()), lambda ids: admin.erase_reviews(tmp_path, ids))
    assert _lines(tmp_path) == []
    assert admin.decided_items(tmp_path) == frozenset()


def test_decisions_on_forgotten_words_are_not_written_again(tmp_path):
    story(tmp_path)
    forget(tmp_path, marks_of((), (), (KEPT[1].content_hash,)))
    write_reviews(tmp_path)
    assert "talks:1" not in {key[0] for key in read_settled(tmp_path)}


def _lines(data: Path) -> list[str]:
    return (reviews_folder(data) / "decisions.jsonl").read_text("utf-8").splitlines()


def test_an_edit_of_words_whose_consent_was_taken_back_is_not_written(tmp_path):
    """A visitor consents, reviewers edit the record, the visitor takes consent back."""
    marks = Marks(5, 5, 5, 5)

    async def rate(given: bool) -> str:
        book = await open_casebook(casebook_url(tmp_path))
        visitor, taken = await ask(book)
        answer = await answer_from_library(book, taken)
        consent = {"visitor_id": visitor, "message_id": answer, "marks": marks, "comment": Private("")}
        await ratings.rate(book, **consent, training_consent=True)
        record = dialogue(1).model_copy(update={"id": record_id(taken.conversation.id)})
        for person in [await hire(book, name) for name in ("lin", "wang")]:
            await reviews.decide(book, person, Reviewed(record.id, record.content_hash), edit(record))
        if not given:
            await ratings.rate(book, **consent, training_consent=False)
        await book.close()
        return record.id

    for given in (True, False):
        put_blank_casebook(tmp_path)
        for log in casebook_path(tmp_path).parent.glob("*-*"):
            log.unlink()
        record = asyncio.run(rate(given))
        write_reviews(tmp_path)
        assert ({key[0] for key in read_settled(tmp_path)} == {record}) is given
        book = casebook_path(tmp_path).parent
        kept = any(
            json.dumps(SECRET).encode() in path.read_bytes() or SECRET.encode() in path.read_bytes()
            for path in book.iterdir()
        )
        assert kept is given


def test_a_conversation_that_is_not_there_leaves_no_decision(tmp_path):
    """Its visitor was erased, and somebody had the words still open."""
    record = dialogue(1).model_copy(update={"id": "casebook:0123456789abcdef"})
    decided(tmp_path, (record, "", edit(record), edit(record)), (KEPT[0], "", ACCEPT, ACCEPT))
    assert present_figures(tmp_path)["decided_by_two"] == 1
    write_reviews(tmp_path)
    assert {key[0] for key in read_settled(tmp_path)} == {"talks:0"}
    assert len(admin.decided_items(tmp_path)) == 1
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
