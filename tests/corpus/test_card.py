from psyllm.core.records import Answer, Record, Turn
from psyllm.core.stages import Manifest
from psyllm.corpus.card import as_markdown, count_split, make_card
from psyllm.corpus.overlaps import Overlap

RECORDS = [
    Record(
        id="a:1", kind="dialogue", group="a", source="a", licence="CC0-1.0", flags=("level:risk", "x"),
        turns=(Turn(role="visitor", text="甲乙"), Turn(role="counsellor", text="丙")),
    ),
    Record(
        id="b:1", kind="question", group="b", source="b", licence="terms | of b",
        title="丁", answers=(Answer(text="戊"), Answer(text="己")),
    ),
]  # fmt: skip


def card():
    cleaned = Manifest(
        stage="2_cleaned", run="cleaned-1", fingerprint="f", seeds={"minhash": 7},
        counts={"records": 2, "read": 5, "dropped": 3}, drops={"few_turns": 1, "near_duplicate": 2},
        details={"mended": {"cut_at_loop": 4}, "personal_data_masked": {}},
    )  # fmt: skip
    return make_card(
        splits={"train": count_split(RECORDS), "dev": count_split([]), "test": count_split(RECORDS[:1])},
        cleaned=cleaned,
        overlaps={"test_in_train": Overlap(1, 0, 0, 1)},
        groups={"groups": 2, "largest": 1, "largest_held_out": 10, "may_not_train": 0},
        settings={"seed": 3, "test_share": 0.1},
    )


def test_a_split_is_counted_by_kind_source_licence_and_level():
    assert count_split(RECORDS) == {
        "records": 2, "characters": 6, "turns": 2, "answers": 2,
        "kinds": {"dialogue": 1, "question": 1}, "sources": {"a": 1, "b": 1},
        "licences": {"CC0-1.0": 1, "terms | of b": 1}, "levels": {"risk": 1},
    }  # fmt: skip


def test_the_card_tells_drops_overlaps_seeds_and_the_strictest_terms_first():
    made = card()
    assert made["cleaning"]["drops"] == {"few_turns": 1, "near_duplicate": 2}
    assert made["overlaps"]["test_in_train"]["nearly_equal"] == 1
    assert made["seeds"] == {"split": 3, "minhash": 7}
    assert [term["licence"] for term in made["terms"]] == ["terms | of b", "CC0-1.0"]


def test_the_card_for_people_has_every_figure_and_whole_tables():
    page = as_markdown(card())
    for line in (
        "| train | 2 | 6 | 2 | 2 |",
        "| terms \\| of b | 1 | 0 | 0 |",
        "| test in train | 1 | 0 | 0 | 1 |",
        "Read 5 records, kept 2, left out 3.",
        "| near_duplicate | 2 |",
        "| cut_at_loop | 4 |",
        "| seed of minhash | 7 |",
    ):
        assert line in page.splitlines()


def test_no_text_of_a_record_is_in_the_card():
    page = as_markdown(card())
    assert not any(character in page for character in "甲乙丙丁戊己")


def test_what_was_left_out_crises_authors_and_terms_stand_on_the_page():
    made = card() | {
        "read": 9, "left_out": {"above_cap": 4, "may_not_train": 0}, "ended": {"psyqa": "2026-01-01"},
        "evaluation_items": {"test.jsonl": 30},
        "crises": {"train": {"attended": 1, "reanswered": 2}, "dev": {}, "test": {"left_out": 3}},
        "authors": {"all": 5, "author_known": 4, "author_also_trained_on": 1, "share": 0.25},
        "looked_at": {"openings": 1.0, "texts": 0.5},
        "permit": {
            "uses": "research", "share_alike": True, "expires": "2027-06-30",
            "sources": [{"source": "a", "licence": "x", "uses": "research", "expires": "2027-06-30", "agreement": "f" * 64}],
        },
    }  # fmt: skip
    lines = as_markdown(made).splitlines()
    for line in (
        "Of 9 cleaned records:",
        "| above_cap | 4 |",
        "The agreement of psyqa ended on 2026-01-01.",
        "test.jsonl: 30 items were looked for.",
        "| reanswered | 2 | 0 | 0 |",
        "2 of 2 training records (100.0%) end in one of them.",
        "| left out | 0 | 0 | 3 |",
        "Looked at in part: 100.0% of openings, 50.0% of texts.",
        "Of 4 test answers whose author is known, 25.0%",
        "All together: uses research, until 2027-06-30, shared under the same terms.",
        f"| a | x | research | 2027-06-30 | {'f' * 12} |",
    ):
        assert line in lines, line
