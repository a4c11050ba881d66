"""Zhihu: questions and answers (HTML with its JSON inside, or without), articles, and the answers feed.

Comes in: pages as an archive or a permitted crawl holds them. Goes out:
questions, answers and articles without names. The page's JSON is read first
(camelCase and snake_case), else the markup, new or old. The feed of further
answers wants a signature, which this project never makes: its pages are read
where somebody has them, and followed only with `feeds`. Paid answers are teasers
and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from psyllm.collect.sites.addresses import canonical, host_of, page_number, parameter, split
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.contract import Draft, Link, Page, PageKind, Piece, Reading
from psyllm.collect.sites.decoding import decoded
from psyllm.collect.sites.merging import merged
from psyllm.collect.sites.parsing import parsed
from psyllm.collect.sites.walls import wall_of
from psyllm.collect.sites.zhihu_json import Entities, OfAuthor, entities_of, pieces_of
from psyllm.collect.sites.zhihu_markup import article_of, question_of

FEED_LIMIT = 5  # what the site's own pages ask for
_QUESTION = re.compile(r"^/question/(\d+)(?:/answers/\w+|/log)?/?$")
_ANSWER = re.compile(r"^/question/(\d+)/answer/(\d+)/?$")
_FEED = re.compile(r"^/api/v4/questions/(\d+)/(?:feeds|answers)$")
_ARTICLE = re.compile(r"^/(?:tardis/\w+/art|p)/(\d+)/?$")
_LIST = re.compile(r"^/(?:topic/\d+(?:/\w[\w-]*)?|explore|topics|hot|collection/\d+)/?$")
_HREF = re.compile(rb"href=\"([^\"]{1,500})\"")
_DATA = re.compile(rb"<script\b[^>]*\bid=[\"']?js-initialData\b[^>]*>(.*?)</script", re.DOTALL)
# An escape in JSON: both halves of a character, half a character (4 hexadecimal digits from d800 to dfff), or any other.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)
_FEED_STRIDE = 10_000  # pages of the feed follow the question's own page


@dataclass(frozen=True)
class Zhihu:
    """The adapter; with a `base_url` it reads a copy of the site served there."""

    base_url: str = ""
    feeds: bool = False
    name: str = "zhihu"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The site's hosts, or the copy's alone."""
        served = split(self.base_url)
        return (host_of(served),) if served else ("www.zhihu.com", "zhihu.com", "zhuanlan.zhihu.com")

    def kind_of(self, url: str) -> PageKind:
        """Return what a URL leads to."""
        path = self._path(url)
        kinds: tuple[tuple[re.Pattern[str], PageKind], ...] = (
            (_ANSWER, "answers"),
            (_FEED, "answers"),
            (_QUESTION, "question"),
            (_ARTICLE, "article"),
            (_LIST, "list"),
        )
        return next((kind for pattern, kind in kinds if pattern.match(path)), "other")

    def thread_of(self, url: str) -> str:
        """Return the thread of a question's, answer's, feed's or article's page."""
        path = self._path(url)
        for pattern, word in (
            (_ANSWER, "question"),
            (_QUESTION, "question"),
            (_FEED, "question"),
            (_ARTICLE, "article"),
        ):
            found = pattern.match(path)
            if found is not None:
                return f"{word}-{found.group(1)}"
        return ""

    def links(self, page: Page) -> tuple[Link, ...]:
        """Return the next page of a feed (the first from a question's page), or what a list names."""
        kind = self.kind_of(page.url)
        if kind == "list":
            return self._listed(page)
        if not self.feeds:
            return ()
        if _FEED.match(self._path(page.url)):
            return self._next_feed(page, _loaded(page.body))
        return self._first_feed(page.url) if kind == "question" else ()

    def read(self, page: Page, authors: Authors) -> Reading:
        """Return the pieces of one page."""
        kind, thread = self.kind_of(page.url), self.thread_of(page.url)
        links = self.links(page)
        number = self._number(page.url)
        if kind in {"list", "other"}:
            stop = wall_of(page) if kind == "list" and not links else ""
            return Reading(links=links, stop=stop)
        pieces, left_out = self._pieces(page, thread, authors)
        wanted = {"question": "question", "article": "article"}.get(kind, "answer")
        if any(piece.kind == wanted for piece in pieces) or (kind == "answers" and self._is_last_feed(page)):
            return Reading(pieces, links, page=number, left_out=left_out)
        stop = "changed" if pieces else wall_of(page)
        answer = _ANSWER.match(self._path(page.url))
        if stop == "deleted" and (answer or kind in {"question", "article"}):
            key = f"answer-{answer.group(2)}" if answer else thread
            pieces = (Piece(key, "gone", thread, url=page.url, fetched_at=page.fetched_at),)
        return Reading(pieces, links, stop, number, left_out)

    def assemble(self, thread: str, readings: Iterable[Reading]) -> Iterator[Draft]:
        """Yield the question with its answers, or the article."""
        return merged(self.name, thread, readings)

    def _path(self, url: str) -> str:
        parts = split(url)
        return parts.path if parts and host_of(parts) in self.hosts else ""

    def _number(self, url: str) -> int:
        """Return a page's place in its thread: the question's own page, then the feed, then single answers."""
        path = self._path(url)
        parts = split(url)
        if parts and _FEED.match(path):
            return 2 + page_number(parameter(parts, "offset")) // FEED_LIMIT
        return _FEED_STRIDE if _ANSWER.match(path) else 1

    def _pieces(self, page: Page, thread: str, authors: Authors) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        markup = decoded(page.body, page.content_type)
        if page.body.lstrip()[:1] in {b"{", b"["}:
            return self._of_entities(page, thread, _of_feed(_loaded(markup.text())), authors)
        raw = markup.markup
        data = _DATA.search(raw if isinstance(raw, bytes) else raw.encode())
        found = entities_of(_loaded(data.group(1))) if data else Entities()
        pieces, left_out = self._of_entities(page, thread, found, authors)
        if pieces or left_out:
            return pieces, left_out
        tree = parsed(raw)
        read = article_of if thread.startswith("article-") else question_of
        return tuple(read(tree, page, thread, self._of_author(authors))), ()

    def _of_entities(
        self, page: Page, thread: str, found: Entities, authors: Authors
    ) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        start = page.url.partition(self._path(page.url))[0] if self._path(page.url) else ""
        pieces, left_out = pieces_of(found, thread, self._of_author(authors))
        placed = tuple(
            piece._replace(url=_address(start, page.url, piece), fetched_at=page.fetched_at)
            for piece in pieces
        )
        return placed, tuple(left_out)

    def _of_author(self, authors: Authors) -> OfAuthor:
        return lambda author: authors.hash(self.name, author)

    def _listed(self, page: Page) -> tuple[Link, ...]:
        hrefs = (href.decode("utf-8", "ignore").replace("&amp;", "&") for href in _HREF.findall(page.body))
        urls = dict.fromkeys(self._thread_url(canonical(href, page.url)) for href in hrefs)
        own = canonical(page.url)
        return tuple(
            Link(url, kind)
            for url in urls
            if url and url != own and (kind := self.kind_of(url)) in {"question", "article", "list"}
        )

    def _thread_url(self, url: str) -> str:
        """Return the question's address for the address of an answer to it."""
        answer = _ANSWER.match(self._path(url))
        return canonical(f"/question/{answer.group(1)}", url) if answer else url

    def _first_feed(self, url: str) -> tuple[Link, ...]:
        number = self.thread_of(url).removeprefix("question-")
        asked = f"/api/v4/questions/{number}/feeds?include=data%5B%2A%5D.content&limit={FEED_LIMIT}&offset=0"
        return (Link(canonical(asked, url), "answers"),)

    def _next_feed(self, page: Page, content: object) -> tuple[Link, ...]:
        paging = content.get("paging") if isinstance(content, dict) else None
        if not isinstance(paging, dict) or paging.get("is_end", True):
            return ()
        after = split(str(paging.get("next", "")))
        if after is None:
            return ()
        # A copy of the site still names the site itself: stay where the page came from.
        url = canonical(f"{after.path}?{after.query}", page.url)
        forward = self._number(url) > self._number(page.url) and self.thread_of(url) == self.thread_of(
            page.url
        )
        return (Link(url, "answers"),) if forward else ()

    def _is_last_feed(self, page: Page) -> bool:
        """Return whether a feed's page says that there is nothing, which is an answer, too."""
        if not _FEED.match(self._path(page.url)):
            return False
        content = _loaded(page.body)
        return isinstance(content, dict) and content.get("data") == [] and "paging" in content


def _address(start: str, page_url: str, piece: Piece) -> str:
    """Return where a piece stands: an answer has an address of its own."""
    word, _, number = piece.key.partition("-")
    question = piece.thread.removeprefix("question-")
    places = {"question": f"/question/{number}", "answer": f"/question/{question}/answer/{number}"}
    return f"{start}{places[word]}" if start and word in places else canonical(page_url)


def _loaded(raw: bytes | str) -> object:
    """Return what JSON holds, or None; an excerpt cut through an emoji costs that character only."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    try:
        return orjson.loads(_ESCAPE.sub(_with_whole_characters, text))
    except orjson.JSONDecodeError:
        return None


def _with_whole_characters(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape.group(1) else escape.group()


def _of_feed(content: object) -> Entities:
    """Return the entities of a feed's page; items are the answers, or hold them as `target`."""
    data = content.get("data") if isinstance(content, dict) else None
    items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    targets = [item["target"] if isinstance(item.get("target"), dict) else item for item in items]
    questions = [target["question"] for target in targets if isinstance(target.get("question"), dict)]
    return Entities(questions=questions[:1], answers=targets)
