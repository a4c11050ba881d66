"""The part of the card on reviewing: with figures, with little to say, with nothing."""

from psyllm.core.stages import Manifest
from psyllm.corpus.card_reviews import review_facts, reviews_lines, reviews_of

NONE = {"value": None, "low": None, "high": None, "of": 0}
ESTIMATE = {"value": 0.05, "low": 0.01, "high": 0.12, "of": 60}
FIGURES = {
    "run": "cleaned-one",
    "reviewers": 3,
    "disputed": 2,
    "decisions_applied": 50,
    "decisions_stale": 1,
    "wrong_drops_kept": 4,
    "alpha": {"value": 0.712, "low": 0.5, "high": 0.9, "of": 60},
    "agreement": {"value": 0.8, "low": 0.7, "high": 0.87, "of": 60},
    "estimates": {"kept_rejected": {**ESTIMATE, "covered": 900, "population": 1000}},
    "coverage": [
        {
            "stratum": "kept/a|b/dialogue",
            "population": 1000,
            "drawn": 70,
            "settled": 60,
            "accept": 50,
            "edit": 5,
            "reject": 5,
        }
    ],
}


def test_the_card_tells_coverage_agreement_and_errors_of_the_whole_run():
    text = "\n".join(reviews_lines(FIGURES))
    assert "3 people reviewed a sample of cleaned-one: 60 of 70 drawn records are settled." in text
    assert "alpha (nominal, blind): 0.71 [0.50, 0.90] over 60 records." in text
    assert "Equal blind decisions: 80.0% [70.0, 87.0 %] of 60 read." in text
    assert "| Kept, though reviewers reject it | 5.0% [1.0, 12.0 %] of 60 read | 900 of 1,000 |" in text
    assert "| kept/a/b/dialogue | 1,000 | 70 | 60 | 50 | 5 | 5 |" in text


def test_what_is_not_known_is_never_a_number():
    text = "\n".join(reviews_lines({**FIGURES, "alpha": NONE, "agreement": NONE}))
    assert "alpha (nominal, blind): not defined" in text
    assert "Equal blind decisions: unknown, none is read." in text


def test_without_reviews_the_card_says_so():
    assert "Nobody has reviewed" in reviews_lines({})[0]
    assert reviews_of(Manifest(stage="2_cleaned", run="x", fingerprint="")) == {}


def test_the_page_has_the_same_figures():
    values = [value for _, _, value in review_facts(FIGURES)]
    assert "60 / 70" in values
    assert "0.71 [0.50, 0.90] over 60 records" in values
    assert "5.0% [1.0, 12.0 %] of 60 read" in values
    assert review_facts({}) == []
