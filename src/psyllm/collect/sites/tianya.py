"""Tianya's forum (bbs.tianya.cn), from archives only: the site went dark in April 2023.

Comes in: pages of a post. Goes out: the opening post as a question, later posts
of its author appended to it, and what others wrote as answers. Quotations that a
post begins with are cut off. The short remarks below a post
(`.item-reply-view`) are left out and counted: they talk to the post above them,
not to the one who asked. An author is hashed by name, because the opening
post names its author so and not always by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from psyllm.collect.sites.addresses import canonical, host_of, page_number, split
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.content import one_line, text_of
from psyllm.collect.sites.contract import Draft, Link, Page, PageKind, Piece, Reading
from psyllm.collect.sites.decoding import decoded
from psyllm.collect.sites.keys import key_by_words, number_in
from psyllm.collect.sites.merging import draft, newest
from psyllm.collect.sites.parsing import parsed
from psyllm.collect.sites.times import utc
from psyllm.collect.sites.trimming import without_quotation
from psyllm.collect.sites.walls import wall_of

_POST = re.compile(r"^/post-([A-Za-z0-9]+)-(\d+)-(\d+)\.shtml$")
_LIST = re.compile(r"^/list(?:-[A-Za-z0-9]+(?:-\d+)*\.shtml|\.jsp)$")


@dataclass(frozen=True)
class Tianya:
    """The adapter; with a `base_url` it reads a copy of the site served there."""

    base_url: str = ""
    name: str = "tianya"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The forum's host, or the copy's."""
        served = split(self.base_url)
        return (host_of(served),) if served else ("bbs.tianya.cn",)

    def kind_of(self, url: str) -> PageKind:
        """Return what a URL leads to."""
        path = self._path(url)
        if _POST.match(path):
            return "question"
        return "list" if _LIST.match(path) else "other"

    def thread_of(self, url: str) -> str:
        """Return the post's board and number."""
        found = _POST.match(self._path(url))
        return f"post-{found.group(1)}-{found.group(2)}" if found else ""

    def links(self, page: Page) -> tuple[Link, ...]:
        """Return the next page of a post, or the posts and pages of a list."""
        return self._links(page, _parsed(page))

    def read(self, page: Page, authors: Authors) -> Reading:
        """Return the posts of one page."""
        tree = _parsed(page)
        links = self._links(page, tree)
        if self.kind_of(page.url) != "question":
            stop = wall_of(page) if self.kind_of(page.url) == "list" and not links else ""
            return Reading(links=links, stop=stop)
        thread, number = self.thread_of(page.url), _number_of(page.url)
        title = one_line(tree.css_first("span.s_title span") or tree.css_first("span.s_title"))
        items = tree.css("div.atl-main > div.atl-item") or tree.css("div.atl-item")
        pieces = [self._piece(page, tree, item, authors) for item in items]
        left_out = ["remarks_below_a_post"] * len(tree.css(".item-reply-view li"))
        left_out += ["post_is_empty"] * sum(not piece.text for piece in pieces)
        kept = [
            piece._replace(title=title) if piece.kind == "question" else piece
            for piece in pieces
            if piece.text or piece.kind == "question"
        ]
        whole = (
            bool(items) and bool(title) and (number > 1 or any(piece.kind == "question" for piece in kept))
        )
        if whole:
            return Reading(tuple(kept), links, page=number, left_out=tuple(left_out))
        stop = "changed" if kept else wall_of(page)
        if stop == "deleted" and number == 1:
            kept = [Piece(thread, "gone", thread, url=page.url, fetched_at=page.fetched_at)]
        return Reading(tuple(kept), links, stop, number, tuple(left_out))

    def assemble(self, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
        """Yield the opening post, its author's later posts below it, with the posts of others as answers."""
        pieces = newest(thread, readings)
        head = next((piece for piece in pieces if piece.kind == "question"), None)
        if head is None:
            return
        later = [piece for piece in pieces if _is_by(head, piece)]
        text = "\n".join(part for part in [head.text, *(piece.text for piece in later)] if part)
        yield draft(
            self.name,
            head,
            text,
            [piece for piece in pieces if piece is not head and not _is_by(head, piece)],
        )

    def _path(self, url: str) -> str:
        parts = split(url)
        return parts.path if parts and host_of(parts) in self.hosts else ""

    def _links(self, page: Page, tree: LexborHTMLParser) -> tuple[Link, ...]:
        selector = "a.js-keyboard-next"
        if self.kind_of(page.url) == "list":
            selector = "td.td-title.faceblue a, .short-pages-2 a"
        hrefs = [node.attributes.get("href") or "" for node in tree.css(selector)]
        urls = dict.fromkeys(canonical(href, page.url) for href in hrefs if href)
        own = canonical(page.url)
        return tuple(Link(url, kind) for url in urls if url != own and (kind := self.kind_of(url)) != "other")

    def _piece(self, page: Page, tree: LexborHTMLParser, item: LexborNode, authors: Authors) -> Piece:
        thread = self.thread_of(page.url)
        opens = "host-item" in (item.attributes.get("class") or "").split()
        # The opening post is never cut: what it quotes, it asks about.
        text = text_of(item.css_first("div.bbs-content"))
        text = text if opens else without_quotation(text)[0]
        author = authors.hash(self.name, _name_of(item) or (_name_of_opener(tree) if opens else ""))
        number = item.attributes.get("replyid") or ""
        return Piece(
            key=thread
            if opens
            else f"reply-{number}"
            if number.isdecimal()
            else key_by_words("reply", author, text),
            kind="question" if opens else "post",
            thread=thread,
            text=text,
            author_hash=author,
            votes=number_in(zan.attributes.get("_count") if (zan := item.css_first("a.zan")) else None),
            written_at=utc(_time_of(tree, item, opens=opens), page.fetched_at),
            url=page.url,
            fetched_at=page.fetched_at,
        )


def _parsed(page: Page) -> LexborHTMLParser:
    return parsed(decoded(page.body, page.content_type).markup)


def _number_of(url: str) -> int:
    parts = split(url)
    found = _POST.match(parts.path) if parts else None
    return page_number(found.group(3)) if found else 1


def _is_by(head: Piece, piece: Piece) -> bool:
    return piece is not head and bool(head.author_hash) and piece.author_hash == head.author_hash


def _name_of(item: LexborNode) -> str:
    said = item.attributes.get("_host") or item.attributes.get("js_username") or ""
    return unquote(said) or item.attributes.get("_hostid") or ""


def _name_of_opener(tree: LexborHTMLParser) -> str:
    menu = tree.css_first(".atl-menu[js_activityusername]")
    if menu is not None:
        return unquote(menu.attributes.get("js_activityusername") or "")
    link = tree.css_first(".atl-info a[uname]")
    return (link.attributes.get("uname") or "") if link else ""


def _time_of(tree: LexborHTMLParser, item: LexborNode, *, opens: bool) -> str:
    said = item.attributes.get("js_restime") or ""
    if said or not opens:
        return said
    return " ".join(one_line(node) for node in tree.css("#post_head .atl-info span"))
