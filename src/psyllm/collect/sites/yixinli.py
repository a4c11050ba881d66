"""Yixinli (xinli001.com): lists, questions with pages of ten answers, single answers of the mobile site, articles.

Comes in: pages as fetched or from an archive. Goes out: questions, answers and
articles without names. An answer of the mobile site belongs to the question
that it links to; its thread can't be told from its URL. Articles lose credits
and the advertisement that they end in. Shapes: class names as public scrapers
show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from psyllm.collect.sites.addresses import canonical, host_of, page_number, parameter, split
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.content import lines_of, one_line, text_of, words_of
from psyllm.collect.sites.contract import Draft, Link, Page, PageKind, Piece, Reading
from psyllm.collect.sites.decoding import decoded
from psyllm.collect.sites.keys import key_by_words, number_in
from psyllm.collect.sites.merging import merged
from psyllm.collect.sites.parsing import parsed
from psyllm.collect.sites.times import utc
from psyllm.collect.sites.trimming import SOLD, without_advertisement
from psyllm.collect.sites.walls import wall_of

ANSWERS_A_PAGE = 10  # public scrapers count so
_QUESTION = re.compile(r"^/qa/(\d+)/?$")
_ANSWER = re.compile(r"^/qa/answer-(\d+)/?$")
_ARTICLE = re.compile(r"^/info/(\d+)/?$")
_LIST = re.compile(r"^/(?:qa|info)/?$")
_SALE = re.compile(
    r'<a\b[^>]*\bhref="[^"]*(?:/(?:course|lesson|lecture|class|kecheng|shop|goods|product)s?\b|//(?:class|course|mall)\.)[^"]*"[^>]*>'
)


@dataclass(frozen=True)
class Yixinli:
    """The adapter; with a `base_url` it reads a copy of the site served there."""

    base_url: str = ""
    name: str = "yixinli"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The site's hosts, or the copy's alone."""
        served = split(self.base_url)
        return (host_of(served),) if served else ("www.xinli001.com", "xinli001.com", "m.xinli001.com")

    def kind_of(self, url: str) -> PageKind:
        """Return what a URL leads to."""
        path = self._path(url)
        kinds: tuple[tuple[re.Pattern[str], PageKind], ...] = (
            (_QUESTION, "question"),
            (_ANSWER, "answers"),
            (_ARTICLE, "article"),
            (_LIST, "list"),
        )
        return next((kind for pattern, kind in kinds if pattern.match(path)), "other")

    def thread_of(self, url: str) -> str:
        """Return the thread of a question's or article's page."""
        path = self._path(url)
        for pattern, word in ((_QUESTION, "question"), (_ARTICLE, "article")):
            found = pattern.match(path)
            if found is not None:
                return f"{word}-{found.group(1)}"
        return ""

    def links(self, page: Page) -> tuple[Link, ...]:
        """Return the next page of a question, or what a list names."""
        return self._links(page, _parsed(page))

    def read(self, page: Page, authors: Authors) -> Reading:
        """Return the pieces of a question's, answer's or article's page."""
        tree = _parsed(page)
        kind = self.kind_of(page.url)
        links = self._links(page, tree)
        number = _page_of(page.url)
        pieces: list[Piece] = []
        left_out: list[str] = []
        complete = bool(links)
        if kind == "question":
            pieces, left_out, complete = self._question(page, tree, authors)
        elif kind == "answers":
            pieces = self._mobile_answer(page, tree)
            complete = bool(pieces)
        elif kind == "article":
            pieces, left_out = self._article(page, tree, authors)
            complete = bool(pieces)
        if complete or kind == "other":
            return Reading(tuple(pieces), links, page=number, left_out=tuple(left_out))
        stop = "changed" if pieces else wall_of(page)
        if stop == "deleted" and self.thread_of(page.url) and number == 1:
            thread = self.thread_of(page.url)
            pieces = [Piece(thread, "gone", thread, url=page.url, fetched_at=page.fetched_at)]
        return Reading(tuple(pieces), links, stop, number, tuple(left_out))

    def assemble(self, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
        """Yield the question with its answers, or the article."""
        return merged(self.name, thread, readings)

    def _path(self, url: str) -> str:
        parts = split(url)
        if parts is None or host_of(parts) not in self.hosts:
            return ""
        return re.sub("/{2,}", "/", parts.path)

    def _links(self, page: Page, tree: LexborHTMLParser) -> tuple[Link, ...]:
        kind = self.kind_of(page.url)
        if kind == "question":
            return self._next_answers(page, tree)
        if kind != "list":
            return ()
        hrefs = [node.attributes.get("href") or "" for node in tree.css("a[href]")]
        urls = dict.fromkeys(_bare(canonical(href, page.url)) for href in hrefs if href)
        found = (Link(url, self.kind_of(url)) for url in urls if url)
        own = _bare(canonical(page.url))
        return tuple(
            link for link in found if link.kind in {"question", "article", "list"} and link.url != own
        )

    def _next_answers(self, page: Page, tree: LexborHTMLParser) -> tuple[Link, ...]:
        """Return the next page of answers, never beyond what the question's own count allows."""
        number = _page_of(page.url)
        if number * ANSWERS_A_PAGE >= _answers_said(tree) or not _answer_nodes(tree):
            return ()
        start = _bare(canonical(page.url)).partition("?")[0]
        return (Link(f"{start}?page={number + 1}", "question"),)

    def _question(
        self, page: Page, tree: LexborHTMLParser, authors: Authors
    ) -> tuple[list[Piece], list[str], bool]:
        thread = self.thread_of(page.url)
        title = one_line(tree.css_first("div.title h1") or tree.css_first(".title span"))
        pieces: list[Piece] = []
        if title:
            asker = tree.css_first(".ask-info .username") or tree.css_first(".title .username")
            pieces.append(
                Piece(
                    key=thread,
                    kind="question",
                    thread=thread,
                    title=title,
                    text=text_of(_detail(tree)),
                    keywords=tuple(
                        word for node in tree.css("ul.label.detail-tag li") if (word := one_line(node))
                    ),
                    author_hash=authors.hash(self.name, words_of(asker)),
                    written_at=utc(words_of(tree.css_first(".ask-info .created_time")), page.fetched_at),
                    url=_bare(canonical(page.url)).partition("?")[0],
                    fetched_at=page.fetched_at,
                )
            )
        nodes = _answer_nodes(tree)
        answers = [self._answer(page, thread, node, authors) for node in nodes]
        kept = [piece for piece in answers if piece.text]
        left_out = ["answer_is_empty"] * (len(answers) - len(kept))
        # A page beyond the last one has no answers, and the site repeats an earlier one instead.
        expected = _answers_said(tree) > (_page_of(page.url) - 1) * ANSWERS_A_PAGE
        return pieces + kept, left_out, bool(title) and (bool(nodes) or not expected)

    def _answer(self, page: Page, thread: str, node: LexborNode, authors: Authors) -> Piece:
        text = text_of(node.css_first(".text"))
        author = authors.hash(self.name, words_of(node.css_first(".username")))
        report = node.css_first(".report_reply")
        number = (report.attributes.get("data-answer-id") or "") if report else ""
        return Piece(
            key=f"answer-{number}" if number.isdecimal() else key_by_words("answer", author, text),
            kind="answer",
            thread=thread,
            text=text,
            author_hash=author,
            votes=number_in(words_of(node.css_first(".answer_zan font"))),
            written_at=utc(words_of(node.css_first(".created_time")), page.fetched_at),
            url=page.url,
            fetched_at=page.fetched_at,
        )

    def _mobile_answer(self, page: Page, tree: LexborHTMLParser) -> list[Piece]:
        found = _ANSWER.match(self._path(page.url))
        text = text_of(tree.css_first(".ask_div_text"))
        hrefs = (canonical(node.attributes.get("href") or "", page.url) for node in tree.css("a[href]"))
        thread = next((self.thread_of(href) for href in hrefs if self.kind_of(href) == "question"), "")
        if found is None or not text:
            return []
        key = f"answer-{found.group(1)}"
        return [Piece(key, "answer", thread, text, url=page.url, fetched_at=page.fetched_at)]

    def _article(self, page: Page, tree: LexborHTMLParser, authors: Authors) -> tuple[list[Piece], list[str]]:
        body = tree.css_first(".yxl-editor-article")
        title = one_line(tree.css_first("h1.title") or tree.css_first(".top .title") or tree.css_first("h1"))
        if body is None or not title:
            return [], []
        whole = lines_of(_SALE.sub(f"<br>{SOLD}", body.html or ""))
        text, cut = without_advertisement(whole)
        thread = self.thread_of(page.url)
        piece = Piece(
            key=thread,
            kind="article",
            thread=thread,
            title=title,
            text=text,
            keywords=tuple(word for node in tree.css(".first-tag a") if (word := one_line(node))),
            author_hash=authors.hash(self.name, words_of(tree.css_first(".author-name"))),
            votes=None,
            written_at=utc(words_of(tree.css_first(".info > span")), page.fetched_at),
            url=_bare(canonical(page.url)).partition("?")[0],
            fetched_at=page.fetched_at,
        )
        return ([piece] if text else []), (["advertisement_cut_off"] if cut else [])


def _parsed(page: Page) -> LexborHTMLParser:
    return parsed(decoded(page.body, page.content_type).markup)


def _page_of(url: str) -> int:
    parts = split(url)
    return page_number(parameter(parts, "page")) if parts else 1


def _bare(url: str) -> str:
    """Return a URL of a question without what is not its page; other URLs as they are."""
    parts = split(url)
    if parts is None or not _QUESTION.match(parts.path):
        return url
    number = _page_of(url)
    return parts._replace(query=f"page={number}" if number > 1 else "").geturl()


def _detail(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the question's own text, never an answer's where the question has none."""
    nodes = tree.css("#left .content p.text") + tree.css(".content .text")
    return next((node for node in nodes if not _is_in_item(node)), None)


def _is_in_item(node: LexborNode) -> bool:
    above = node.parent
    while above is not None and above.tag != "li":
        above = above.parent
    return above is not None


def _answers_said(tree: LexborHTMLParser) -> int:
    """Return how many answers the question's head counts."""
    return number_in(words_of(tree.css_first(".title strong"))) or 0


def _answer_nodes(tree: LexborHTMLParser) -> list[LexborNode]:
    """Return the answers' elements: by their own list, else the items of the column that hold a text."""
    nodes = tree.css("ul.content-ans > li")
    if nodes:
        return nodes
    column = tree.css("#left ul > li")
    return [
        node for node in column if node.css_first(".text") and node.css_first(".report_reply, .answer_zan")
    ]
