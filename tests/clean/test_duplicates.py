import random
from itertools import pairwise

from made_up import words
from psyllm.clean.duplicates import DuplicateFinder, NgramFiles
from psyllm.clean.signatures import compared_text, save, sign
from psyllm.core.records import Answer, Record
from psyllm.text.hashed_ngrams import ngrams_in_order

CHANCE = random.Random(8)
BODY = words(CHANCE, 400)


def document(text, kind="document", **fields):
    return Record(id="a:1", kind=kind, group="a:1", source="a", licence="x", text=text, **fields)


def edited(text, places):
    characters = list(text)
    for place in places:
        characters[place] = "甲"
    return "".join(characters)


def in_shards(tmp_path, records, borders, least):
    """Write signatures and n-grams of the records, cut at these places, and find their duplicates."""
    folders = []
    parts = [records[start:end] for start, end in pairwise([0, *borders, len(records)])]
    for number, part in enumerate(parts):
        folders.append(tmp_path / f"{len(list(tmp_path.iterdir()))}-{number}")
        folders[-1].mkdir()
        save(folders[-1], sign(part, [record.content_hash for record in part]))
    finder = DuplicateFinder(folders, least)
    for folder, part, rows in zip(folders, parts, finder.candidates(), strict=True):
        NgramFiles.write(folder, rows, [ngrams_in_order([compared_text(part[row]) for row in rows])])
    return finder.find(NgramFiles(folders, finder.borders).of)


def found(tmp_path, *records, borders=(), least=0.8):
    clusters = in_shards(tmp_path, records, borders, least)
    return {
        place: ("exact_duplicate" if clusters.is_exact[place] else "near_duplicate", kept)
        for place, kept in enumerate(clusters.kept.tolist())
        if kept != place
    }


def test_equal_words_are_exact_duplicates_of_the_first(tmp_path):
    records = [document(BODY), document(words(CHANCE, 400)), document(BODY[:200] + " \n" + BODY[200:])]
    assert found(tmp_path, records[0], records[1], records[0]) == {2: ("exact_duplicate", 0)}
    assert found(tmp_path, *records) == {2: ("near_duplicate", 0)}


def test_short_texts_are_compared_too(tmp_path):
    assert found(tmp_path, document("好"), document("坏"), document("好")) == {2: ("exact_duplicate", 0)}


def test_near_texts_are_joined_at_the_threshold_and_not_below(tmp_path):
    pair = (document(BODY), document(edited(BODY, [100, 300])))  # 10 of 396 n-grams differ: 386/406
    assert found(tmp_path, *pair, least=0.95) == {1: ("near_duplicate", 0)}
    assert found(tmp_path, *pair, least=0.96) == {}


def test_a_chain_is_one_cluster_and_the_longest_stays(tmp_path):
    chain = [document(edited(BODY, range(0, 20 * n, 20)) + "尾" * n) for n in range(4)]
    assert found(tmp_path, *chain) == dict.fromkeys(range(3), ("near_duplicate", 3))
    assert in_shards(tmp_path, chain, (), 0.8).sizes.tolist() == [4, 4, 4, 4]


def test_reviewed_comes_before_longer(tmp_path):
    reviewed = document(BODY, reviewed_by="somebody")
    longer = document(BODY + "还有")
    by_answer = document("", kind="question", answers=(Answer(text=BODY, reviewed_by="somebody"),))
    plain = document("", kind="question", answers=(Answer(text=BODY + "还有"),))
    assert found(tmp_path, longer, reviewed) == {0: ("near_duplicate", 1)}
    assert found(tmp_path, plain, by_answer) == {0: ("near_duplicate", 1)}


def test_what_may_be_shown_or_trained_on_comes_before_what_may_not(tmp_path):
    hidden, shown = document(BODY + "还有"), document(BODY, may_show=True)
    assert found(tmp_path, hidden, shown) == {0: ("near_duplicate", 1)}
    closed, free = document(BODY + "还有", may_train=False), document(BODY)
    assert found(tmp_path, closed, free) == {0: ("near_duplicate", 1)}


def test_greater_danger_comes_before_longer_and_after_what_people_reviewed(tmp_path):
    calm, crisis = document(BODY + "还有"), document(BODY, flags=("minor", "level:risk"))
    assert found(tmp_path, calm, crisis) == {0: ("near_duplicate", 1)}
    reviewed = document(BODY + "还有", reviewed_by="somebody")
    assert found(tmp_path, reviewed, crisis) == {1: ("near_duplicate", 0)}


def test_records_of_two_kinds_are_no_duplicates(tmp_path):
    assert found(tmp_path, document(BODY), document(BODY, kind="question")) == {}


def test_shards_are_compared_with_each_other(tmp_path):
    originals = [document(words(CHANCE, 200)) for _ in range(300)]
    copies = [document(edited(record.text, [50])) for record in originals[::10]]
    for borders in ((), (100,), (1, 299, 301, 320)):
        left_out = found(tmp_path, *originals, *copies, borders=borders)
        assert left_out == {300 + n: ("near_duplicate", 10 * n) for n in range(30)}


def test_equal_words_in_three_shards_are_one_cluster(tmp_path):
    one, other = document(BODY), document(words(CHANCE, 400))
    clusters = in_shards(tmp_path, [one, other, one, one], (1, 3), 0.8)
    assert clusters.kept.tolist() == [0, 1, 0, 0]
    assert clusters.sizes.tolist() == [3, 1, 3, 3]


def test_no_records_have_no_duplicates(tmp_path):
    assert found(tmp_path) == {}
