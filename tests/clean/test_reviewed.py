"""What people decided is applied in cleaning, and bound to the words that were read."""

import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaned_story import CALM, dialogue, put_reviews, question
from psyllm.clean.draw import draw
from psyllm.clean.reviewed import Decisions, edited, moved_spans
from psyllm.clean.run import run as clean
from psyllm.clean.steps import steps
from psyllm.clean.tally import Tally
from psyllm.core.records import Answer, Span, read_records, write_records
from psyllm.core.settings import CleanSettings
from psyllm.core.settled_reviews import (
    EditedTexts,
    SettledReview,
    read_settled,
    reviews_folder,
    without_decisions,
    write_settled,
)
from psyllm.core.stages import Stage, StageRun, stage_folder, writing
from psyllm.core.tombstones import Tombstone, append_tombstones

ONE_PROCESS = CleanSettings(workers=1)
STEPS = steps(ONE_PROCESS)
REVIEWERS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")


def settled(record, verdict, **more):
    return SettledReview(
        id=record.id,
        words=record.content_hash,
        verdict=verdict,
        reviewers=REVIEWERS,
        date="2026-11-25",
        **more,
    )


def texts_of(record, **changes):
    whole = {
        "title": record.title,
        "text": record.text,
        "turns": tuple(turn.text for turn in record.turns),
        "answers": tuple(answer.text for answer in record.answers),
    }
    return EditedTexts(**{**whole, **changes})


def apply(record, reviews, reason=""):
    tally = Tally()
    decisions = Decisions({(one.id, one.words): one for one in reviews})
    return decisions.apply(record, reason, STEPS, tally), dict(tally.other)


def put_collected(data, records, name="talks"):
    with writing(StageRun(data, Stage.COLLECTED, name, f"mark-{name}", (), {})) as run:
        write_records(records, run.folder)
        run.finish(counts={"records": len(records)})


def cleaned(data, config=ONE_PROCESS):
    manifest = clean(config, data)
    folder = stage_folder(data, Stage.CLEANED) / manifest.run
    return manifest, {record.id: record for record in read_records(folder)}


def test_a_rejected_record_is_out_with_its_reason():
    record = dialogue(1)
    outcome, counts = apply(record, [settled(record, "reject")])
    assert outcome.reason == "rejected_in_review"
    assert counts == {"decisions_applied": 1}


def test_an_accepted_record_carries_how_many_reviewed_it_and_no_name():
    record = dialogue(1)
    outcome, _ = apply(record, [settled(record, "accept")])
    assert (outcome.record.reviewed_by, outcome.reason) == ("two reviewers", "")
    assert outcome.record.turns == record.turns


def test_a_decision_about_other_words_does_not_apply_and_is_counted():
    record = dialogue(1)
    outcome, counts = apply(record, [settled(dialogue(1, reply=CALM + "再见。"), "reject")])
    assert (outcome.record, outcome.reason) == (record, "")
    assert counts == {"decisions_stale": 1}


def test_a_wrong_drop_is_taken_back_and_gets_its_level():
    record = dialogue(1, said="我不想活了")
    outcome, counts = apply(record, [settled(record, "accept", dropped_for="few_turns")], "few_turns")
    assert outcome.reason == ""
    assert any(flag.startswith("level:") for flag in outcome.record.flags)
    assert counts == {"decisions_applied": 1, "wrong_drops_kept": 1}


def test_a_drop_that_people_call_right_keeps_its_own_reason():
    record = dialogue(1)
    outcome, _ = apply(record, [settled(record, "reject")], "few_turns")
    assert outcome.reason == "few_turns"


def test_an_edit_replaces_words_moves_spans_and_is_masked_like_all_others():
    record = question(1)
    new = "先抱抱你。" + CALM
    review = settled(record, "edit", edited=texts_of(record, answers=(new, "有事打13812345678找我，" + CALM)))
    outcome, _ = apply(record, [review])
    first, second = outcome.record.answers
    assert first.text == new
    assert [new[span.start : span.end] for span in first.spans] == [CALM[-4:]]
    assert "13812345678" not in second.text
    assert first.reviewed_by == "two reviewers"


def test_an_emptied_answer_or_turn_goes():
    asked, talked = question(1), dialogue(1)
    assert len(edited(asked, texts_of(asked, answers=(CALM, ""))).answers) == 1
    turns = (*(turn.text for turn in talked.turns[:3]), " ")
    assert len(edited(talked, texts_of(talked, turns=turns)).turns) == 3


def test_an_edited_record_that_was_read_again_follows_its_second_decision():
    record = dialogue(1)
    review = settled(record, "edit", edited=texts_of(record, turns=("我睡不着", CALM, "谢谢", "再见")))
    changed = apply(record, [review])[0].record
    outcome, _ = apply(record, [review, settled(changed, "reject")])
    assert outcome.reason == "rejected_in_review"


def test_what_was_rejected_or_edited_does_not_come_back_through_a_record_with_the_same_words():
    record = dialogue(1)
    other = record.model_copy(update={"id": "elsewhere:7"})
    outcome, counts = apply(other, [settled(record, "reject")])
    assert outcome.reason == "rejected_in_review"
    assert counts == {"equal_records_decided": 1}
    change = settled(record, "edit", edited=texts_of(record, turns=("我睡不着", CALM, "谢谢", "再见")))
    outcome, counts = apply(other, [change])
    assert (outcome.record.turns[0].text, outcome.record.reviewed_by) == ("我睡不着", "")
    assert counts == {"equal_records_decided": 1}
    assert apply(other, [settled(record, "accept")]) == ((other, "", False), {})
    assert apply(other, [change, settled(other, "accept")])[0].record.turns == record.turns
    assert apply(dialogue(2), [change, settled(record, "reject")]) == ((dialogue(2), "", False), {})


def test_an_edit_does_not_fit_a_record_that_cuts_the_same_words_otherwise():
    asked = question(1)
    merged = asked.model_copy(
        update={"id": "b:1", "text": "", "answers": (Answer(text=asked.text), *asked.answers)}
    )
    assert merged.content_hash == asked.content_hash
    outcome, _ = apply(merged, [settled(asked, "edit", edited=texts_of(asked, title="另一个题目"))])
    assert outcome.record == merged


def test_an_exact_duplicate_of_what_was_rejected_goes_and_of_what_was_edited_joins(tmp_path):
    bad, mended, calm = dialogue(1), dialogue(2, said="丈夫常常不回家"), dialogue(3, said="考试前很紧张")
    copies = [one.model_copy(update={"id": f"{one.id}0", "group": f"{one.id}0"}) for one in (bad, mended)]
    put_collected(tmp_path, [bad, mended, calm, *copies])
    _, before = cleaned(tmp_path)
    edit = texts_of(before[mended.id], turns=("丈夫不回家，我很难过", CALM, "谢谢你", "过几天再来说说"))
    put_reviews(
        tmp_path, [settled(before[bad.id], "reject"), settled(before[mended.id], "edit", edited=edit)]
    )
    manifest, now = cleaned(tmp_path)
    assert {key: one.reviewed_by for key, one in now.items()} == {mended.id: "two reviewers", calm.id: ""}
    assert manifest.drops == {"exact_duplicate": 1, "rejected_in_review": 2}
    told = manifest.details["reviews"]
    assert [told[name] for name in ("decisions_applied", "equal_records_decided", "decisions_stale")] == [
        2,
        2,
        0,
    ]


def test_what_is_nearly_the_same_as_what_was_rejected_goes_unless_people_accepted_it(tmp_path):
    told = "晚上躺下就一直想着白天的事情，孩子的功课、老人的药、单位里没有做完的表格，翻来覆去到两三点"
    kept = dialogue(1, said=told, reply=CALM + "好。")
    near = dialogue(7, said=told, flags=("minor",))
    put_collected(tmp_path, [kept, near], "one")
    put_collected(tmp_path, [dialogue(3, said="考试前很紧张，一想到就心慌手抖")], "two")
    manifest, before = cleaned(tmp_path)
    assert (set(before), manifest.drops) == ({kept.id, "talks:3"}, {"near_duplicate": 1})
    put_reviews(tmp_path, [settled(before[kept.id], "reject")])
    manifest, now = cleaned(tmp_path)
    assert (set(now), manifest.drops) == ({"talks:3"}, {"rejected_duplicate": 1, "rejected_in_review": 1})
    assert manifest.counts == {"records": 1, "read": 3, "dropped": 2}
    assert "rejected_duplicate" in manifest.details["reasons"]
    folder = stage_folder(tmp_path, Stage.CLEANED) / manifest.run
    rows = pq.read_table(sorted(folder.glob("dropped-*.parquet"))).to_pylist()
    [row] = [row for row in rows if row["reason"] == "rejected_duplicate"]
    assert (row["id"], row["duplicate_of"]) == (near.id, kept.id)
    back = settled(near, "accept", dropped_for="rejected_duplicate")
    put_reviews(tmp_path, [settled(before[kept.id], "reject"), back], "later")
    manifest, now = cleaned(tmp_path)
    assert (set(now), manifest.drops) == ({"talks:3", near.id}, {"rejected_in_review": 1})


def test_two_edits_that_undo_each_other_end():
    record = dialogue(1)
    there = edited(record, texts_of(record, turns=("我睡不着", CALM, "谢谢", "再见")))
    outcome, _ = apply(
        record,
        [
            settled(record, "edit", edited=texts_of(there)),
            settled(there, "edit", edited=texts_of(record)),
        ],
    )
    assert outcome.record.content_hash == record.content_hash


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spans_stay_inside_the_new_text_and_an_unchanged_text_keeps_them(data):
    text = st.text(alphabet="一二三四五六。，", min_size=1, max_size=30)
    old, new = data.draw(text), data.draw(text)
    start = data.draw(st.integers(0, len(old) - 1))
    spans = (Span(start=start, end=data.draw(st.integers(start + 1, len(old))), type="Others"),)
    assert all(0 <= span.start < span.end <= len(new) for span in moved_spans(spans, old, new))
    assert moved_spans(spans, old, old) == spans


@pytest.fixture
def data(tmp_path):
    near = dialogue(7, said="最近总是睡不着，躺下就想很多事情，怎么办")
    copy = dialogue(1).model_copy(update={"id": "talks:copy"})
    put_collected(tmp_path, [dialogue(1), dialogue(2), dialogue(3, reply="早点睡。" * 8), near, copy])
    put_collected(tmp_path, [question(1), question(2, answer="短")], "asked")
    return tmp_path


def test_decisions_change_the_corpus_and_are_part_of_what_makes_a_run(data):
    before, records = cleaned(data)
    sample = draw(data, 50, seed=1)
    near = next(one for one in sample.items if one.stratum == "dropped/near_duplicate")
    reject, keep = records["asked:1"], near
    put_reviews(
        data,
        [
            settled(reject, "reject", reasons=("broken",)),
            SettledReview(
                id=keep.id,
                words=keep.words,
                verdict="accept",
                dropped_for="near_duplicate",
                reviewers=REVIEWERS,
            ),
        ],
    )
    after, now = cleaned(data)
    assert after.run != before.run
    assert "asked:1" not in now
    assert after.drops["rejected_in_review"] == 1
    assert now[keep.id].reviewed_by == "two reviewers"
    assert len(now) == len(records)
    assert after.counts["read"] == after.counts["records"] + after.counts["dropped"]
    told = after.details["reviews"]
    assert (told["decisions_applied"], told["decisions_stale"], told["settled"]) == (2, 0, 2)
    assert told["run"] == "cleaned-one"


def test_many_processes_give_the_same_bytes_as_one(data):
    _, records = cleaned(data)
    put_reviews(data, [settled(record, "accept") for record in records.values()])
    one, _ = cleaned(data)
    many_data = data / "again"
    for stage in ("1_collected", "6_feedback"):
        (many_data / stage).parent.mkdir(exist_ok=True)
        (many_data / stage).symlink_to(data / stage, target_is_directory=True)
    many, _ = cleaned(many_data, CleanSettings(workers=2))
    assert many.content_hash == one.content_hash


def test_what_was_forgotten_does_not_come_back_by_a_decision(data):
    _, records = cleaned(data)
    record = records["asked:1"]
    put_reviews(data, [settled(record, "accept", dropped_for="few_turns")])
    collected = next(one for one in read_records(data / "1_collected" / "asked") if one.id == "asked:1")
    append_tombstones(data, [Tombstone(kind="content", mark=collected.content_hash)])
    _, now = cleaned(data)
    assert "asked:1" not in now


def test_an_exact_copy_stays_one_record_though_people_accept_both(data):
    _, records = cleaned(data)
    kept = records.get("talks:1") or records["talks:copy"]
    copy = kept.model_copy(update={"id": "talks:copy" if kept.id == "talks:1" else "talks:1"})
    put_reviews(data, [settled(one, "accept", dropped_for="near_duplicate") for one in (kept, copy)])
    _, now = cleaned(data)
    assert len({"talks:1", "talks:copy"} & now.keys()) == 1


def test_a_line_that_is_no_decision_stops_cleaning(data):
    put_reviews(data, [settled(dialogue(1), "accept")])
    path = reviews_folder(data) / "decisions.jsonl"
    path.write_text(path.read_text("utf-8") + '{"id": 1}\n', "utf-8")
    with pytest.raises(Exception, match="line 2: this is no decision"):
        read_settled(data)


def test_decisions_are_taken_out_by_record_and_by_words(tmp_path):
    first, second, third = (settled(dialogue(number), "accept") for number in range(3))
    write_settled(tmp_path, [first, second, third])
    assert without_decisions(tmp_path, [first.id], [second.words]) == 2
    left = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text("utf-8").splitlines()]
    assert [one["id"] for one in left] == [third.id]
    assert without_decisions(tmp_path / "nowhere", [first.id], []) == 0
