import json
import lzma

import pytest

from psyllm.clean import document_lines, minors, model_voice, persona, quality, site_lines
from psyllm.clean.rule_rows import RuleTable, read_table

TABLES = {
    "persona": persona.signs(),
    "site_lines": site_lines.site_lines(),
    "document_lines": document_lines.page_lines(),
    "quality": quality.broken_rows(),
    "model_voice": model_voice.voices(),
    "minors": minors.ages(),
}
ROWS = [
    pytest.param(table, row, id=f"{name}-{row.name}") for name, table in TABLES.items() for row in table.rows
]
EXAMPLES = [text for table in TABLES.values() for row in table.rows for text in (*row.takes, *row.leaves)]
FILLING = "这是很长的一段话，说的是别的事情。" * 12


def slowly(table: RuleTable, text: str) -> list[str]:
    return [row.name for row in table.rows if row.pattern.search(text)]


def names(table: RuleTable, text: str) -> list[str]:
    return [row.name for row in table.matching(text)]


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_every_row_takes_what_it_must_and_leaves_what_it_must(table, row):
    for text in row.takes:
        assert row in table.matching(text), text
    for text in row.leaves:
        assert row not in table.matching(text), text


@pytest.mark.parametrize("name", TABLES)
def test_the_quick_search_finds_what_asking_every_row_finds(name):
    table = TABLES[name]
    for text in EXAMPLES:
        for given in (text, f"{FILLING}\n{text}", f"{text}\n{FILLING}", f"{text}\n{FILLING}\n{text}"):
            assert names(table, given) == slowly(table, given), given
            assert table.may_match(given) or not slowly(table, given)


@pytest.mark.outside_data
@pytest.mark.parametrize("name", TABLES)
def test_the_quick_search_agrees_on_real_dialogues(name, outside_data):
    table = TABLES[name]
    with lzma.open(outside_data / "smilechat" / "train.jsonl.xz", "rt", encoding="utf-8") as lines:
        texts = ["\n".join(turn["content"] for turn in json.loads(next(lines))["dialog"]) for _ in range(300)]
    for text in texts:
        assert names(table, text) == slowly(table, text)


def test_a_need_hidden_behind_another_still_speaks(tmp_path):
    row = '[[row]]\nname = "{}"\npattern = "{}"\nneeds = "{}"\ntakes = "x"\nleaves = "y"\nsource = "own"\n'
    path = tmp_path / "rows.toml"
    path.write_text(row.format("long", "甲乙丙丁", "甲乙丙") + row.format("inner", "乙丙戊", "乙丙"), "utf-8")
    assert names(read_table(path, "row"), "甲乙丙戊") == ["inner"]


def test_a_wrong_need_is_seen(tmp_path):
    path = tmp_path / "rows.toml"
    path.write_text(
        '[[row]]\nname = "a"\npattern = "丙丁"\nneeds = "甲"\ntakes = "丙丁"\nleaves = "y"\nsource = "own"\n',
        "utf-8",
    )
    table = read_table(path, "row")
    assert names(table, "丙丁") != slowly(table, "丙丁")


def test_every_row_names_its_source():
    assert all(row.source for table in TABLES.values() for row in table.rows)
