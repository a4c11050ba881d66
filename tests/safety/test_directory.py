"""The help lines that ship."""

import datetime as dt
import json

from psyllm.safety.directory import checked_on, help_lines, numbers
from psyllm.text.pii import find_pii


def test_a_region_takes_in_its_cities_and_keeps_the_order_of_the_card():
    assert [line.number for line in help_lines("CN")][:3] == ["12356", "120", "110"]
    assert {line.region for line in help_lines("CN")} == {"CN", "CN-BJ"}
    assert len(help_lines()) == len(help_lines("CN")) + len(help_lines("HK")) + len(help_lines("TW")) + len(
        help_lines("US")
    )
    assert help_lines("FR") == ()


def test_every_line_can_be_dialled_and_says_where_it_was_seen():
    for line in help_lines():
        assert line.tel.isdigit()
        assert line.tel == "".join(filter(str.isdigit, line.number))
        assert all((line.name, line.name_en, line.hours, line.hours_en, line.source))
        assert line.seen_on == dt.date(2026, 11, 22)
        assert line.call_tested is None
    assert checked_on() == dt.date(2026, 11, 22)
    assert len(numbers()) == len(help_lines())


def test_no_help_line_is_masked_as_somebodys_own():
    for line in help_lines():
        for text in (f"请打{line.number}", f"电话：{line.number}", f"热线 {line.tel}"):
            assert find_pii(text) == [], line.number


def test_only_lines_with_a_source_ship(outside_data):
    collected = json.loads((outside_data / "hotlines" / "hotlines.json").read_text("utf-8"))["lines"]
    sourced = {(row["region"], row["number"]) for row in collected if row["status"] == "sourced"}
    assert {(line.region, line.number) for line in help_lines()} == sourced
