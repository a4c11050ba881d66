import pytest

from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.trimming import SOLD, rows, without_advertisement, without_quotation
from psyllm.collect.sites.walls import wall_of, walls


@pytest.mark.parametrize("wall", walls(), ids=lambda wall: wall.name)
def test_a_wall_takes_its_text_and_leaves_its_other(wall):
    assert wall.pattern.search(wall.takes)
    assert not wall.pattern.search(wall.leaves)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_trimming_row_takes_its_line_and_leaves_its_other(row):
    assert row.pattern.match(row.takes)
    assert not row.pattern.match(row.leaves)


def test_a_page_of_no_known_wall_is_changed_markup():
    assert wall_of(Page("https://a.example/", b"<p>hello</p>")) == "changed"


def test_an_advertisement_at_the_top_is_left_to_the_cleaning():
    assert without_advertisement(f"{SOLD}点这里\n{'正文。' * 40}") == (f"点这里\n{'正文。' * 40}", False)


def test_a_post_that_only_begins_with_a_date_is_not_cut():
    post = "2012-05-24 21:52 他走了，我一夜没睡"
    assert without_quotation(post) == (post, False)
    assert without_quotation("作者：某 回复日期：2010-1-2 12:00:00\n你好") == ("你好", True)
