"""Reviewing cleaned records through the API: blind, in order, bound to the words."""

import pytest

from casebook_story import answer_from_library, ask
from cleaned_story import CALM, dialogue, item_of, put_cleaned, question
from psyllm.casebook import ratings, reviews, staff
from psyllm.casebook.erase import erase_visitor
from psyllm.casebook.kinds import ReviewVerdict, Role
from psyllm.casebook.ratings import Marks
from psyllm.casebook.reviews import Judged, Reviewed
from psyllm.clean.draw import draw
from psyllm.core.errors import NotFound
from psyllm.core.forgetting import forget, marks_of
from psyllm.core.private import Private
from serve_house import House

pytestmark = pytest.mark.anyio

NEXT = "/api/staff/reviews/next"


def body(verdict: str = "accept", reason: str | None = None, note: str = "", edited=None):
    return {"verdict": verdict, "reason": reason, "note": note, "edited": edited}


def texts(item, **changes):
    whole = {
        "title": item["title"],
        "text": item["text"],
        "turns": [turn["text"] for turn in item["turns"]],
        "answers": item["answers"],
    }
    return {**whole, **changes}


def sampled(house: House):
    put_cleaned(
        house.data,
        [dialogue(1, flags=("level:urgent", "minor")), question(1), dialogue(2, flags=("level:risk",))],
        [(dialogue(3), "little_chinese")],
    )
    return draw(house.data, 10, seed=1)


async def decide(desk, item: str, **parts):
    return await desk.put(f"/api/staff/reviews/{item}/decision", json=body(**parts))


async def test_without_a_sample_nothing_waits(house: House) -> None:
    desk = await house.hire()
    found = (await desk.get(NEXT)).json()
    assert (found["item"], found["progress"]["total"]) == (None, 0)


async def test_the_most_dangerous_comes_first_with_its_marks(house: House) -> None:
    sampled(house)
    desk = await house.hire()
    found = (await desk.get(NEXT)).json()
    item = found["item"]
    assert (item["level"], item["minor"], item["kind"], item["dropped_for"]) == (
        "urgent",
        True,
        "dialogue",
        "",
    )
    assert item["turns"][0]["text"].endswith("这是第1个晚上了")
    assert (item["own"], item["others"], item["state"]) == (None, [], "open")
    assert found["progress"]["for_me"] == 4


async def test_the_second_reader_does_not_see_the_first_decision(house: House) -> None:
    sample = sampled(house)
    lin, wang = await house.hire("lin"), await house.hire("wang")
    item = item_of(sample, "talks:1")
    done = await decide(lin, item, verdict="reject", reason="harmful", note="只给同事看的话")
    assert (done.status_code, done.json()["mine"], done.json()["half"]) == (200, 1, 1)
    seen = await wang.get(f"/api/staff/reviews/{item}")
    assert (seen.json()["own"], seen.json()["others"]) == (None, [])
    assert "只给同事看的话" not in seen.text
    assert (await lin.get(f"/api/staff/reviews/{item}")).json()["own"]["reason"] == "harmful"
    assert [one["item"] for one in done.json()["changeable"]] == [item]
    assert (await decide(wang, item, verdict="accept")).json()["disputed"] == 1
    both = (await lin.get(f"/api/staff/reviews/{item}")).json()
    assert [one["verdict"] for one in both["others"]] == ["accept"]
    changed = await decide(lin, item, verdict="accept")
    assert (changed.status_code, changed.json()["code"]) == (409, "PSY-504")


async def test_a_supervisor_sees_both_and_settles_nobody_else_does(house: House) -> None:
    sample = sampled(house)
    lin, wang, chen = [await house.hire(name) for name in ("lin", "wang", "chen")]
    boss = await house.hire("boss", Role.SUPERVISOR)
    item = item_of(sample, "asked:1")
    await decide(lin, item, verdict="reject", reason="broken")
    await decide(wang, item, verdict="accept")
    refused = await decide(chen, item, verdict="accept")
    assert (refused.status_code, refused.json()["code"]) == (403, "PSY-502")
    assert (await chen.get(f"/api/staff/reviews/{item}")).json()["others"] == []
    first = (await boss.get(NEXT)).json()["item"]
    assert first["item"] == item
    assert [one["verdict"] for one in first["others"]] == ["reject", "accept"]
    assert "lin" not in str(first["others"])
    settled = await decide(boss, item, verdict="accept")
    assert (settled.json()["settled"], settled.json()["disputed"]) == (1, 0)


async def test_an_edit_must_fit_its_record_and_change_something(house: House) -> None:
    sample = sampled(house)
    desk = await house.hire()
    name = item_of(sample, "asked:1")
    item = (await desk.get(f"/api/staff/reviews/{name}")).json()
    assert item["has_spans"] is True
    wrong = [
        None,
        texts(item),
        texts(item, answers=[CALM]),
        texts(item, answers=["", " "]),
        texts(item, title="", text=""),
    ]
    for edited in wrong:
        refused = await decide(desk, name, verdict="edit", edited=edited)
        assert (refused.status_code, refused.json()["code"]) == (422, "PSY-100"), edited
        assert CALM not in refused.text
    assert (await decide(desk, name, verdict="reject")).status_code == 422
    fine = texts(item, answers=["先抱抱你。" + CALM, ""])
    assert (await decide(desk, name, verdict="edit", edited=fine)).status_code == 200
    own = (await desk.get(f"/api/staff/reviews/{name}")).json()["own"]
    assert own["edited"]["answers"] == fine["answers"]


async def test_a_dialogue_keeps_both_voices(house: House) -> None:
    sample = sampled(house)
    desk = await house.hire()
    name = item_of(sample, "talks:2")
    item = (await desk.get(f"/api/staff/reviews/{name}")).json()
    silent = [turn["text"] if turn["role"] == "visitor" else "" for turn in item["turns"]]
    assert (await decide(desk, name, verdict="edit", edited=texts(item, turns=silent))).status_code == 422


async def test_that_a_drop_was_right_needs_no_reason(house: House) -> None:
    sample = sampled(house)
    desk = await house.hire()
    name = item_of(sample, "talks:3")
    assert (await desk.get(f"/api/staff/reviews/{name}")).json()["dropped_for"] == "little_chinese"
    assert (await decide(desk, name, verdict="reject")).status_code == 200


async def test_a_skipped_text_goes_to_somebody_else(house: House) -> None:
    sample = sampled(house)
    lin, wang = await house.hire("lin"), await house.hire("wang")
    item = item_of(sample, "talks:1")
    assert (await lin.post(f"/api/staff/reviews/{item}/skip")).status_code == 204
    assert (await lin.get(NEXT)).json()["item"]["item"] != item
    assert (await wang.get(NEXT)).json()["item"]["item"] == item


async def test_a_forgotten_text_is_passed_over_and_those_after_it_are_still_found(house: House) -> None:
    sample = sampled(house)
    desk = await house.hire()
    words = next(one.words for one in sample.items if one.id == "talks:1")
    forget(house.data, marks_of((), (), (words,)))
    found = (await desk.get(NEXT)).json()
    assert (found["gone"], found["item"]["level"]) == (1, "risk")
    gone = await desk.get(f"/api/staff/reviews/{item_of(sample, 'talks:1')}")
    assert (gone.status_code, "forgotten or cleaned anew" in gone.json()["detail"]) == (404, True)
    assert (await decide(desk, item_of(sample, "talks:1"))).status_code == 404
    other = await desk.get(f"/api/staff/reviews/{item_of(sample, 'asked:1')}")
    assert other.status_code == 200


async def test_a_name_that_is_no_hash_is_refused(house: House) -> None:
    desk = await house.hire()
    assert (await desk.get("/api/staff/reviews/..%2Fx")).status_code in {404, 422}
    assert (await desk.get(f"/api/staff/reviews/{'0' * 64}")).status_code == 404
    assert (await desk.get("/api/staff/reviews/zz")).status_code == 422


async def test_a_note_that_is_too_long_is_refused(house: House) -> None:
    sample = sampled(house)
    desk = await house.hire()
    refused = await decide(desk, item_of(sample, "talks:1"), note="长" * 2001)
    assert (refused.status_code, "长" in refused.text) == (422, False)


async def test_a_near_duplicate_is_shown_beside_the_one_that_stays(house: House) -> None:
    kept = dialogue(5, said="这一条留了下来")
    put_cleaned(house.data, [dialogue(4), kept], [(dialogue(6), "near_duplicate")], duplicate_of="talks:5")
    sample = draw(house.data, 10, seed=1)
    desk = await house.hire()
    item = (await desk.get(f"/api/staff/reviews/{item_of(sample, 'talks:6')}")).json()
    assert item["stays"]["turns"][0].startswith("这一条留了下来")
    other = (await desk.get(f"/api/staff/reviews/{item_of(sample, 'talks:4')}")).json()
    assert other["stays"] is None


@pytest.mark.parametrize("leaves", ["erased", "takes consent back"])
async def test_words_whose_consent_ended_are_shown_to_nobody(house: House, leaves: str) -> None:
    book = house.parts.book
    visitor, taken = await ask(book)
    answer = await answer_from_library(book, taken)
    rated = {"visitor_id": visitor, "message_id": answer, "marks": Marks(5, 5, 5, 5), "comment": Private("")}
    await ratings.rate(book, **rated, training_consent=True)
    [consent] = await ratings.list_consents(book, visitor)
    own = dialogue(1, said="只有这位来访者说过的话", consent_id=consent.id)
    near = [(dialogue(2), "near_duplicate")]
    put_cleaned(house.data, [own], near, duplicate_of="talks:1")
    sample = draw(house.data, 10, seed=1)
    desk = await house.hire()
    item, other = item_of(sample, "talks:1"), item_of(sample, "talks:2")
    assert "只有这位来访者说过的话" in (await desk.get(f"/api/staff/reviews/{item}")).text
    if leaves == "erased":
        await erase_visitor(book, visitor)
    else:
        await ratings.rate(book, **rated, training_consent=False)
    answers = [
        await desk.get(f"/api/staff/reviews/{item}"),
        await decide(desk, item),
        await desk.post(f"/api/staff/reviews/{item}/skip"),
    ]
    assert [one.status_code for one in answers] == [404, 404, 404]
    found = await desk.get(NEXT)
    assert found.json()["item"]["item"] == other
    beside = await desk.get(f"/api/staff/reviews/{other}")
    assert beside.json()["stays"] is None
    assert "只有这位来访者说过的话" not in "".join(one.text for one in (*answers, found, beside))
    assert await reviews.all_decisions(book) == {}


async def test_nobody_writes_about_words_whose_consent_ended_while_they_were_read(house: House) -> None:
    person = await staff.add(house.parts.book, "wang", Role.COUNSELLOR, Private("correct horse battery"))
    what = Reviewed("casebook:1", "a" * 64, "", "no-such-consent")
    with pytest.raises(NotFound):
        await reviews.decide(house.parts.book, person, what, Judged(ReviewVerdict.ACCEPT))
    assert await reviews.all_decisions(house.parts.book) == {}
