"""Every row of the lexicon does what its examples say, and broken rows are refused."""

import tomllib

import pytest

from psyllm.core.errors import MalformedInput
from psyllm.safety.levels import Level
from psyllm.safety.lexicon import LEXICON, load_lexicon
from psyllm.safety.screen import screen
from psyllm.text.fold import screening_fold

TABLES = tomllib.loads(LEXICON.read_text("utf-8"))


@pytest.mark.parametrize("row", TABLES["rules"], ids=lambda row: row["id"])
def test_a_rule_speaks_at_its_examples_and_is_silent_at_the_others(row):
    assert row["must_match"]
    assert row["must_not_match"]
    assert row["source"]
    for text in row["must_match"]:
        screening = screen([text])
        assert row["id"] in {reason.rule for reason in screening.reasons}, text
        assert screening.level >= Level.of(row["level"])
    for text in row["must_not_match"]:
        assert row["id"] not in {reason.rule for reason in screen([text]).reasons}, text


@pytest.mark.parametrize("row", TABLES["quiet"], ids=lambda row: row["id"])
def test_a_quiet_row_blanks_its_examples_and_leaves_the_others(row):
    quiet = next(quiet for quiet in load_lexicon().quiet if quiet.id == row["id"])
    assert row["source"]
    for text in row["must_match"]:
        assert blanks(quiet, text), text
        assert screen([text]).level < Level.RISK, text
    for text in row["must_not_match"]:
        assert not blanks(quiet, text), text


def blanks(quiet, text):
    seen = screening_fold(text).text
    kept = quiet.unless is not None and quiet.unless.search(seen)
    return not kept and quiet.pattern.search(seen) is not None


def test_no_row_matches_nothing_at_all():
    for row in (*load_lexicon().rules, *load_lexicon().quiet):
        assert row.pattern.search("") is None, row.id


@pytest.mark.parametrize(
    "row",
    [
        'id = "a"\npattern = "("\nlevel = "risk"\nabout = "self"',
        'id = "a"\npattern = "<nothing>"\nlevel = "risk"\nabout = "self"',
        'id = "a"\nlevel = "risk"\nabout = "self"',
        'id = "a"\npattern = "a"\nlevel = "high"\nabout = "self"',
        'id = "a"\npattern = "a"\nlevel = "risk"\nabout = "nobody"',
        'pattern = "a"\nlevel = "risk"\nabout = "self"',
    ],
)
def test_a_broken_row_is_refused_by_name_not_skipped(tmp_path, row):
    path = tmp_path / "lexicon.toml"
    path.write_text(f"quiet = []\n[parts]\nthird = '他'\nself = '我'\n[[rules]]\n{row}\n", "utf-8")
    with pytest.raises(MalformedInput, match="lexicon"):
        load_lexicon(path)


def test_an_id_used_twice_is_refused(tmp_path):
    path = tmp_path / "lexicon.toml"
    row = '[[rules]]\nid = "a"\npattern = "a"\nlevel = "risk"\nabout = "self"\n'
    path.write_text(f"quiet = []\n[parts]\nthird = '他'\nself = '我'\n{row}{row}", "utf-8")
    with pytest.raises(MalformedInput, match="twice"):
        load_lexicon(path)


def test_the_version_changes_with_the_text_of_the_lexicon(tmp_path):
    path = tmp_path / "lexicon.toml"
    path.write_text(LEXICON.read_text("utf-8") + "\n# a remark\n", "utf-8")
    assert load_lexicon(path).version != load_lexicon().version
