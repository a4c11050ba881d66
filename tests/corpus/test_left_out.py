"""What a run leaves out and what it says of the terms, on whole runs."""

import datetime as dt
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_up import dialogues, questions, write_lines
from psyllm.clean.run import run as clean
from psyllm.collect.run import run as collect
from psyllm.core.collect_settings import CollectSettings
from psyllm.core.errors import BadSetting, EmptyCorpus, MissingFile
from psyllm.core.records import Answer, Record, Turn, read_records, write_records
from psyllm.core.settings import CleanSettings, CorpusSettings
from psyllm.core.stages import Stage, StageRun, current_run, writing
from psyllm.corpus.run import run

DAY = dt.date(2026, 11, 25)
WANTS_TO_DIE = "我真的不想活了。"
VIOLENCE = "我老公昨晚又打我。"


def gathered(data, values, name="source", **said):
    path = write_lines(values, data.parent / f"{name}.input")
    settings = CollectSettings(path=path, name=name, **{"licence": "CC0-1.0", **said})
    return collect(settings, data)


def written(data, records):
    """Put records into a cleaned run as they are."""
    stage_run = StageRun(data, Stage.CLEANED, "cleaned-by-hand", "x", (), {})
    with writing(stage_run):
        write_records(records, stage_run.folder, rows_per_file=40)
        return stage_run.finish(counts={"records": 1, "read": 1, "dropped": 0})


def sides(data):
    folder = current_run(data, Stage.CORPUS)
    return {side: list(read_records(folder, prefix=side)) for side in ("train", "dev", "test")}


def card_of(data):
    return json.loads((current_run(data, Stage.CORPUS) / "card.json").read_text("utf-8"))


def adds_up(manifest):
    return manifest.counts["read"] == manifest.counts["records"] + sum(manifest.drops.values())


def made_up(number, *texts, **fields):
    turns = tuple(Turn(role=("visitor", "counsellor")[n % 2], text=text) for n, text in enumerate(texts))
    base = {"id": f"a:{number}", "group": f"a:{number}", "source": "a", "licence": "CC0-1.0"}
    return Record(**(base | {"kind": "dialogue", "turns": turns} | fields))


def plain(count, seed=1, **fields):
    for number, value in enumerate(dialogues(count, seed=seed)):
        yield made_up(f"{seed}-{number}", *(turn["content"] for turn in value["dialog"]), **fields)


def test_a_source_whose_agreement_has_ended_is_left_out_and_said(tmp_path):
    data = tmp_path / "data"
    gathered(data, dialogues(60), "free")
    gathered(
        data,
        dialogues(40, seed=5),
        "psyqa",
        licence="agreement",
        uses="research",
        expires=dt.date(2026, 11, 24),
    )
    clean(CleanSettings(), data)
    manifest = run(CorpusSettings(), data, lambda: DAY)
    assert manifest.drops["agreement_ended"] == 40
    assert adds_up(manifest)
    assert manifest.details["ended"] == {"psyqa": "2026-11-24"}
    assert manifest.details["permit"]["uses"] == "any"
    assert {record.source for side in sides(data).values() for record in side} == {"free"}
    assert "The agreement of psyqa ended on 2026-11-24." in (
        current_run(data, Stage.CORPUS) / "card.md"
    ).read_text("utf-8")


def test_until_its_last_day_a_source_is_used_and_its_terms_travel(tmp_path):
    data = tmp_path / "data"
    agreement = tmp_path / "agreement.pdf"
    agreement.write_bytes(b"signed")
    gathered(data, dialogues(60), "free")
    said = {"uses": "research", "expires": DAY, "agreement": agreement}
    collected = gathered(data, dialogues(40, seed=5), "psyqa", licence="agreement", **said)
    assert str(tmp_path) not in collected.model_dump_json()
    clean(CleanSettings(), data)
    first = run(CorpusSettings(), data, lambda: DAY)
    permit = first.details["permit"]
    assert (permit["uses"], permit["expires"]) == ("research", "2026-11-25")
    assert permit["sources"][1]["agreement"] == collected.details["terms"]["agreement"]
    later = run(CorpusSettings(), data, lambda: DAY + dt.timedelta(days=1))
    assert later.run != first.run
    assert later.drops["agreement_ended"] == 40


def test_the_terms_of_what_is_only_measured_on_travel_too(tmp_path):
    data = tmp_path / "data"
    gathered(data, dialogues(60), "free")
    said = {"uses": "research", "expires": DAY, "may_train": False}
    gathered(data, dialogues(12, seed=5), "psyqa", licence="agreement", **said)
    clean(CleanSettings(), data)
    manifest = run(CorpusSettings(dev_share=0.2, test_share=0.3), data, lambda: DAY)
    found = sides(data)
    assert "psyqa" not in {record.source for record in found["train"]}
    assert "psyqa" in {record.source for record in found["test"]}
    permit = manifest.details["permit"]
    assert (permit["uses"], permit["expires"]) == ("research", str(DAY))
    assert [term["licence"] for term in manifest.details["terms"]] == ["agreement", "CC0-1.0"]


def test_when_every_agreement_has_ended_there_is_no_corpus(tmp_path):
    data = tmp_path / "data"
    gathered(data, dialogues(40), "psyqa", expires=dt.date(2026, 1, 1))
    clean(CleanSettings(), data)
    with pytest.raises(EmptyCorpus, match=r"have ended \(psyqa on 2026-01-01\)") as caught:
        run(CorpusSettings(), data, lambda: DAY)
    assert "--expires" in caught.value.next_step


def test_a_cap_is_kept_and_counted(tmp_path):
    data = tmp_path / "data"
    gathered(data, dialogues(90), "large")
    gathered(data, dialogues(30, seed=5), "small")
    clean(CleanSettings(), data)
    manifest = run(CorpusSettings(caps={"large": 0.5}), data)
    assert manifest.drops["above_cap"] == 60
    assert adds_up(manifest)
    few = run(CorpusSettings(caps={"large": 20, "small": 20}), data)
    assert few.counts["train"] > 25  # what is taken is not all on one side
    with pytest.raises(BadSetting, match="names 'huge'"):
        run(CorpusSettings(caps={"huge": 3}), data)


def test_a_cap_may_name_a_source_whose_agreement_has_ended(tmp_path):
    data = tmp_path / "data"
    gathered(data, dialogues(60), "free")
    gathered(data, dialogues(40, seed=5), "psyqa", uses="research", expires=DAY - dt.timedelta(days=1))
    clean(CleanSettings(), data)
    manifest = run(CorpusSettings(caps={"psyqa": 0.5}), data, lambda: DAY)
    assert (manifest.drops["agreement_ended"], manifest.drops.get("above_cap", 0)) == (40, 0)
    assert adds_up(manifest)


def test_what_an_evaluation_set_holds_is_not_trained_on(tmp_path):
    data = tmp_path / "data"
    values = dialogues(80)
    gathered(data, values)
    clean(CleanSettings(), data)
    measured = write_lines(values[:30], tmp_path / "measured.jsonl")
    manifest = run(CorpusSettings(evaluation_sets=(measured,)), data)
    known = {f"source:{value['id']}" for value in values[:30]}
    assert not known & {record.id for record in sides(data)["train"]}
    assert manifest.drops["shares_runs_with_evaluation"] > 10
    assert adds_up(manifest)
    assert str(tmp_path) not in manifest.model_dump_json()
    assert card_of(data)["evaluation_items"] == {"measured.jsonl": 30}
    with pytest.raises(MissingFile):
        run(CorpusSettings(evaluation_sets=(tmp_path / "none",)), data)


def test_two_sets_of_one_name_are_both_looked_for(tmp_path):
    data = tmp_path / "data"
    values = dialogues(80)
    gathered(data, values)
    clean(CleanSettings(), data)
    sets = []
    for name, some in (("ev1", values[:30]), ("ev2", values[30:40])):
        (tmp_path / name).mkdir()
        sets.append(write_lines(some, tmp_path / name / "test.jsonl"))
    manifest = run(CorpusSettings(evaluation_sets=tuple(sets)), data)
    known = {f"source:{value['id']}" for value in values[:40]}
    assert not known & {record.id for record in sides(data)["train"]}
    assert card_of(data)["evaluation_items"] == {"ev1/test.jsonl": 30, "ev2/test.jsonl": 10}
    assert str(tmp_path) not in manifest.model_dump_json()


def test_our_own_test_told_again_in_another_record_is_not_trained_on(tmp_path):
    data = tmp_path / "data"
    records = list(plain(80))
    written(data, records)
    run(CorpusSettings(), data)
    asked = sides(data)["test"][0]
    # The same case behind another opening: grouping by openings does not see it.
    other = next(plain(1, seed=9))
    again = other.model_copy(update={"turns": (*other.turns[:2], *asked.turns[2:])})
    written(data, [*records, again])
    manifest = run(CorpusSettings(), data)
    assert asked.id in {record.id for record in sides(data)["test"]}
    assert again.id not in {record.id for record in sides(data)["train"]}
    assert adds_up(manifest)


def test_whoever_asks_twice_is_on_one_side_and_authors_on_both_sides_are_told(tmp_path):
    data = tmp_path / "data"
    asked = list(plain(60))
    records = [
        record.model_copy(update={"author_hash": f"asker-{number // 3}"})
        for number, record in enumerate(asked)
    ]
    for number, value in enumerate(questions(60, seed=8)):
        answers = tuple(
            Answer(text=answer["answer_text"], author_hash="prolific" if place else f"rare-{number // 2}")
            for place, answer in enumerate(value["answers"])
        )
        fields = {"kind": "question", "title": value["question"], "text": value["description"], "turns": ()}
        records.append(made_up(f"q{number}", answers=answers, **fields))
    written(data, records)
    run(CorpusSettings(test_share=0.3), data)
    found = sides(data)
    owners = {side: {record.author_hash for record in each} - {""} for side, each in found.items()}
    assert all(owners.values())
    assert not owners["train"] & owners["test"]
    assert not owners["train"] & owners["dev"]
    rare = {
        side: {answer.author_hash for record in each for answer in record.answers} - {"prolific"}
        for side, each in found.items()
    }
    assert rare["test"]
    assert not rare["train"] & rare["test"]
    authors = card_of(data)["authors"]
    tests = sum(len(record.answers) for record in found["test"])
    assert authors["all"] == authors["author_known"] == tests
    assert authors["author_also_trained_on"] == tests // 2
    assert authors["share"] == 0.5


def test_crises_that_were_passed_over_are_answered_in_training_and_left_out_elsewhere(tmp_path):
    data = tmp_path / "data"
    flags = ("level:risk",)
    others = dialogues(80, seed=3)
    # Replies of their own: a stock reply would be left out for what it shares with the test.
    said = [other["dialog"] for other in others]
    risky = [
        made_up(f"r{n}", f"{WANTS_TO_DIE}{said[n][0]['content']}", said[n][1]["content"], flags=flags)
        for n in range(30)
    ]
    violent = [
        made_up(f"v{n}", f"{VIOLENCE}{said[n][0]['content']}", said[n][1]["content"], flags=flags)
        for n in range(30, 50)
    ]
    written(data, [*plain(60), *risky, *violent])
    manifest = run(CorpusSettings(opening_chars=40), data)
    assert adds_up(manifest)
    records = [record for side in sides(data).values() for record in side]
    outcomes = sum((Counter(counts) for counts in manifest.details["crises"].values()), Counter())
    assert manifest.drops["crisis_passed_over"] == outcomes["left_out"] == 50 - outcomes["reanswered"]
    answered = [record for record in records if "crisis_reanswered" in record.flags]
    assert answered == [record for record in sides(data)["train"] if "crisis_reanswered" in record.flags]
    assert 20 <= len(answered) < 30
    assert all(record.turns[-1].text not in {turns[1]["content"] for turns in said} for record in answered)
    assert outcomes["reanswered"] == len(answered)
    replies = {
        side: {turn.text for record in found for turn in record.turns if turn.role == "counsellor"}
        for side, found in sides(data).items()
    }
    assert not replies["train"] & (replies["dev"] | replies["test"])
    assert not replies["dev"] & replies["test"]
    kept = run(CorpusSettings(opening_chars=40, crisis_replies="keep"), data)
    assert "crisis_passed_over" not in kept.drops
    left = run(CorpusSettings(opening_chars=40, crisis_replies="leave_out"), data)
    assert left.drops["crisis_passed_over"] == 50
    assert adds_up(kept)
    assert adds_up(left)


def test_no_reply_of_the_protocol_ends_more_training_records_than_it_may(tmp_path, monkeypatch):
    monkeypatch.setattr("psyllm.corpus.splitting.MOST_OF_ONE_REPLY", 3)
    data = tmp_path / "data"
    said = dialogues(90, seed=3)
    risky = [
        made_up(
            f"r{n}",
            f"{WANTS_TO_DIE}{turns['dialog'][0]['content']}",
            turns["dialog"][1]["content"],
            flags=("level:risk",),
        )
        for n, turns in enumerate(said[:60])
    ]
    written(data, [*plain(60), *risky])
    manifest = run(CorpusSettings(opening_chars=40), data)
    assert adds_up(manifest)
    found = [record for record in sides(data)["train"] if "crisis_reanswered" in record.flags]
    ends = Counter(record.turns[-1].text for record in found)
    assert set(ends.values()) == {3}
    assert manifest.details["crises"]["train"]["reanswered"] == len(found) == 9
    repeated = manifest.drops["crisis_reply_repeated"]
    assert repeated == manifest.details["crises"]["train"]["reply_repeated"] > 0
    assert len(found) + repeated + manifest.drops["crisis_passed_over"] == 60


some_records = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.booleans(),
        st.sampled_from([(), ("level:risk",)]),
        st.sampled_from(["", "one", "two"]),
    ),
    min_size=40,
    max_size=60,
)


@given(some_records, st.integers(0, 5))
@settings(max_examples=15)
def test_every_record_is_on_one_side_or_counted(tmp_path_factory, facts, seed):
    data = tmp_path_factory.mktemp("counts") / "data"
    records = [
        record.model_copy(
            update={
                "source": source,
                "may_train": may_train or place < 30,
                "flags": flags,
                "author_hash": asker,
            }
        )
        for place, (record, (source, may_train, flags, asker)) in enumerate(
            zip(plain(len(facts), seed=seed), facts, strict=True)
        )
    ]
    written(data, records)
    try:
        manifest = run(CorpusSettings(seed=seed, dev_share=0, test_share=0.3), data)
    except EmptyCorpus:
        return
    ids = [record.id for side in sides(data).values() for record in side]
    assert len(ids) == len(set(ids)) == manifest.counts["records"]
    assert manifest.counts["read"] == len(records)
    assert adds_up(manifest)


def with_standard_answer(share_of_train):
    """Return questions with an own answer each, and one standard answer for all that is held out and some others."""
    texts = list(plain(120, seed=3))
    standard = " ".join(turn.text for turn in next(plain(1, seed=99)).turns)
    for number, record in enumerate(texts):
        own = Answer(text="".join(turn.text for turn in record.turns[1:]))
        answers = (own, Answer(text=standard)) if number % 10 < share_of_train else (own,)
        yield Record(
            id=f"q:{number}", kind="question", group=f"q:{number}", source="q", licence="CC0-1.0",
            text=record.turns[0].text + record.turns[-1].text, answers=answers,
        )  # fmt: skip


def test_a_corpus_without_training_is_refused_and_says_why(tmp_path):
    data = tmp_path / "data"
    written(data, with_standard_answer(10))
    with pytest.raises(EmptyCorpus, match=r"\(shares_runs_with_evaluation\), leaves nothing for: ") as caught:
        run(CorpusSettings(), data)
    assert "train" in caught.value.message
    assert "corpus.most_shared_13grams" in caught.value.next_step
    assert current_run(data, Stage.CORPUS) is None
    assert run(CorpusSettings(most_shared_13grams=1.0), data).counts["train"] > 0


def test_dev_holds_no_answer_of_test_as_training_holds_none_of_either(tmp_path):
    data = tmp_path / "data"
    written(data, with_standard_answer(3))
    manifest = run(CorpusSettings(), data)
    assert adds_up(manifest)
    told = {
        side: {answer.text for record in records for answer in record.answers}
        for side, records in sides(data).items()
    }
    assert all(told.values())
    assert not told["dev"] & told["test"]
    assert not told["train"] & (told["dev"] | told["test"])
