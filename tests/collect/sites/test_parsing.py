import time

import pytest

import site_pages as made
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import adapters
from psyllm.collect.sites.contract import Page
from psyllm.collect.sites.parsing import MOST_DEPTH, nests_too_deeply, parsed

MANY = MOST_DEPTH + 1


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * MANY,
        "<DIV class='x'>\n" * MANY,
        "<div></span>" * MANY,
        "<div><table><tr><td></div></td></tr></table>" * MANY,
        "<div/>" * MANY,
        "<b><p>" * MANY,
        "<ul><li>" * MANY,
        "<table><tr><td>" * MANY,
        "<!-- -->" + "<!-->" + "<div>" * MANY,
        "<script>1</script><span>" * MANY,
        "<svg><title>" + "<div>" * MANY,
        "<svg><style>" + "<g>" * MANY,
        "<math><mtext><script></math></script>" * MANY,
        "<svg><title><div></title></svg>" * MANY,
        "<svg><div></svg>" * MANY,
        "<svg><![CDATA[</svg>]]>" * MANY,
        "<div><! </div>" * MANY,
        "<div title='></div>'>" * MANY,
    ],
)
def test_what_nests_too_deeply_is_told_and_not_parsed(markup):
    assert nests_too_deeply(markup)
    assert nests_too_deeply(markup.encode())
    assert parsed(markup).css("div, b, ul, table, span, svg, math") == []


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 1000 + "</div>" * 1000 + "<p>x" * MANY,
        "<div><p>x</div>" * MANY,
        "<div><span><i></div>" * MANY,
        "<br><img src=x><input>" * MANY,
        "<ul>" + "<li>x" * MANY + "</ul>",
        "<table>" + "<tr><td>x" * MANY + "</table>",
        "<select>" + "<option>x" * MANY + "</select>",
        "<table><tr><td><div></table>" * MANY,
        "<svg>" + "<path d='M0'/><g/>" * MANY + "</svg>",
        "<svg><title>x</title><style>a</style><desc/><foreignObject><p>x</p></foreignObject></svg>" * MANY,
        "<svg><a></svg><math><mi>x</mi><annotation-xml>x</annotation-xml></math>" * MANY,
        "<svg><title><script>'<svg>'</script></title></svg>" * MANY,
        "<script>" + "'<div>'" * MANY + "</script><p>x</p>",
        "<!-- " + "<div>" * MANY + " --><p>x</p>",
        "<a b='" + "<i " * MANY + "'>x</a>",
    ],
)
def test_a_long_page_is_no_deep_one(markup):
    assert not nests_too_deeply(markup)


@pytest.mark.parametrize("piece", ["<div ", "<script ", "<!--", "</div>", "<script></x>", "<a '\"", "<"])
def test_no_markup_takes_long(piece):
    began = time.process_time()
    nests_too_deeply(piece * (2_000_000 // len(piece)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("site", [*(name for name in made.PAGES if name != "other"), "other"])
def test_no_adapter_reads_a_page_without_a_ground(site):
    url = made.url_of(site, 5)
    adapter = next(one for one in adapters() if one.thread_of(url))
    page = Page(url, b"<div>" * 200_000 + b"x", "text/html")
    began = time.process_time()
    reading = adapter.read(page, Authors(b"k" * 32))
    assert adapter.links(page) == reading.links == ()
    assert not reading.pieces
    assert reading.stop or reading.left_out
    assert time.process_time() - began < 5
