import random

from made_up import words
from psyllm.clean.duplicates import Duplicate, DuplicateFinder
from psyllm.core.records import Answer, Record

CHANCE = random.Random(8)
BODY = words(CHANCE, 400)


def document(text, kind="document", **fields):
    return Record(id="a:1", kind=kind, group="a:1", source="a", licence="x", text=text, **fields)


def edited(text, places):
    characters = list(text)
    for place in places:
        characters[place] = "甲"
    return "".join(characters)


def found(tmp_path, *records, least=0.8):
    with DuplicateFinder(tmp_path / "work", least) as finder:
        for record in records:
            finder.add(record, record.content_hash)
        return finder.find()


def test_equal_words_are_exact_duplicates_of_the_first(tmp_path):
    records = [document(BODY), document(words(CHANCE, 400)), document(BODY[:200] + " \n" + BODY[200:])]
    assert found(tmp_path, records[0], records[1], records[0]) == {2: Duplicate("exact_duplicate", 0)}
    assert found(tmp_path, *records) == {2: Duplicate("near_duplicate", 0)}


def test_short_texts_are_compared_too(tmp_path):
    assert found(tmp_path, document("好"), document("坏"), document("好")) == {
        2: Duplicate("exact_duplicate", 0)
    }


def test_near_texts_are_joined_at_the_threshold_and_not_below(tmp_path):
    pair = (document(BODY), document(edited(BODY, [100, 300])))  # 10 of 396 n-grams differ: 386/406
    assert found(tmp_path, *pair, least=0.95) == {1: Duplicate("near_duplicate", 0)}
    assert found(tmp_path, *pair, least=0.96) == {}


def test_a_chain_is_one_cluster_and_the_longest_stays(tmp_path):
    chain = [document(edited(BODY, range(0, 20 * n, 20)) + "尾" * n) for n in range(4)]
    left_out = found(tmp_path, *chain)
    assert {place: duplicate.kept for place, duplicate in left_out.items()} == {0: 3, 1: 3, 2: 3}


def test_reviewed_comes_before_longer(tmp_path):
    reviewed = document(BODY, reviewed_by="somebody")
    longer = document(BODY + "还有")
    by_answer = document("", kind="question", answers=(Answer(text=BODY, reviewed_by="somebody"),))
    plain = document("", kind="question", answers=(Answer(text=BODY + "还有"),))
    assert found(tmp_path, longer, reviewed) == {0: Duplicate("near_duplicate", 1)}
    assert found(tmp_path, plain, by_answer) == {0: Duplicate("near_duplicate", 1)}


def test_what_may_be_shown_or_trained_on_comes_before_what_may_not(tmp_path):
    hidden, shown = document(BODY + "还有"), document(BODY, may_show=True)
    assert found(tmp_path, hidden, shown) == {0: Duplicate("near_duplicate", 1)}
    closed, free = document(BODY + "还有", may_train=False), document(BODY)
    assert found(tmp_path, closed, free) == {0: Duplicate("near_duplicate", 1)}


def test_records_of_two_kinds_are_no_duplicates(tmp_path):
    assert found(tmp_path, document(BODY), document(BODY, kind="question")) == {}


def test_many_texts_across_batches_and_no_file_left(tmp_path):
    originals = [document(words(CHANCE, 200)) for _ in range(300)]
    copies = [document(edited(record.text, [50])) for record in originals[::10]]
    left_out = found(tmp_path, *originals, *copies)
    assert left_out == {300 + n: Duplicate("near_duplicate", 10 * n) for n in range(30)}
    assert list(tmp_path.iterdir()) == []


def test_no_records_have_no_duplicates(tmp_path):
    assert found(tmp_path) == {}
