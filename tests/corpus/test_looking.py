from psyllm.core.records import Answer, Record
from psyllm.corpus.looking import Tally, part_of


def record(number, *authors, **fields):
    answers = tuple(Answer(text="好", author_hash=author) for author in authors)
    base = {"id": f"a:{number}", "kind": "question", "group": "a", "source": "a", "licence": "CC0-1.0"}
    return Record(**(base | {"title": "怎么办", "answers": answers} | fields))


def test_of_test_answers_those_by_authors_who_are_trained_on_are_counted():
    tally = Tally()
    tally.learn(record(1, "li", ""))
    tally.learn(record(2, kind="document", author_hash="wang", answers=()))
    tally.ask(record(3, "li", "chen", "", "wang"))
    assert tally.author_overlap() == {
        "all": 4, "author_known": 3, "author_also_trained_on": 2, "share": 0.6667,
    }  # fmt: skip


def test_where_no_author_is_known_there_is_no_share():
    tally = Tally()
    tally.learn(record(1, ""))
    tally.ask(record(2, ""))
    assert tally.author_overlap()["share"] is None


def test_words_are_counted_by_stage_and_source():
    tally = Tally()
    tally.learn(record(1, "li"))
    tally.learn(record(2, kind="document", source="wiki", title="", text="十个字的一篇小文章。", answers=()))
    assert tally.words == {"documents": {"wiki": 10}, "dialogues": {"a": 4}}


def test_licences_are_those_of_every_record_held_by_source():
    tally = Tally()
    for number, source in enumerate(["a", "wiki", "a"]):
        tally.hold(record(number, source=source))
    assert tally.licences == {"a": {"CC0-1.0"}, "wiki": {"CC0-1.0"}}


def test_a_part_is_about_the_share_and_the_same_each_time():
    records = [record(number) for number in range(400)]
    some = list(part_of(iter(records), 0.25))
    assert 60 < len(some) < 140
    assert some == list(part_of(iter(records), 0.25))
    assert list(part_of(iter(records), 1.0)) == records
