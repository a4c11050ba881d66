"""Zhihu's pages without their JSON: what the markup alone says, new and old.

Comes in: a parsed page. Goes out: its question and answers, or its article.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from psyllm.collect.sites.content import one_line, text_of
from psyllm.collect.sites.contract import Page, Piece
from psyllm.collect.sites.keys import key_by_words, number_in
from psyllm.collect.sites.times import utc

_ANSWERS = ".AnswerItem, .zm-item-answer, [itemprop=suggestedAnswer], [itemprop=acceptedAnswer]"
_TEXTS = ".RichContent-inner, .zm-editable-content, [itemprop=text]"
_TITLES = "h1.QuestionHeader-title, #zh-question-title, h1[itemprop=name]"
_DETAILS = ".QuestionRichText, .QuestionHeader-detail .RichText, #zh-question-detail"
_ANSWER_ADDRESS = re.compile(r"/answer/(\d+)")
_PERSON = re.compile(r"/(?:people|org)/([^/?#]+)")
_MORE = re.compile(r"\s*(?:…|\.\.\.)?\s*(?:显示全部|阅读全文)[\s\u200b]*$")


def question_of(
    tree: LexborHTMLParser, page: Page, thread: str, of_author: Callable[[str], str]
) -> Iterator[Piece]:
    """Yield the question (when its title is there) and the answers with words."""
    title = one_line(tree.css_first(_TITLES)) or _meta(tree, ".QuestionHeader meta[itemprop=name]")
    if title:
        yield Piece(
            key=thread,
            kind="question",
            thread=thread,
            title=title,
            text=_MORE.sub("", text_of(tree.css_first(_DETAILS))),
            keywords=tuple(
                word for node in tree.css(".QuestionTopic, .zm-item-tag") if (word := one_line(node))
            ),
            written_at=utc(
                _meta(
                    tree,
                    ".QuestionPage > meta[itemprop=dateCreated], .QuestionHeader meta[itemprop=dateCreated]",
                ),
                page.fetched_at,
            ),
            url=page.url,
            fetched_at=page.fetched_at,
        )
    # Lexbor gives an element once for each part of a selector that it fits.
    for node in {node.mem_id: node for node in tree.css(_ANSWERS)}.values():
        text = text_of(node.css_first(_TEXTS))
        if text:
            yield _answer(node, text, page, thread, of_author)


def article_of(
    tree: LexborHTMLParser, page: Page, thread: str, of_author: Callable[[str], str]
) -> Iterator[Piece]:
    """Yield the article when its title and text are there."""
    title, text = one_line(tree.css_first(".Post-Title")), text_of(tree.css_first(".Post-RichText"))
    if title and text:
        head = tree.css_first(".Post-Header")
        yield Piece(
            key=thread,
            kind="article",
            thread=thread,
            title=title,
            text=text,
            author_hash=of_author(_author(head)) if head else "",
            written_at=utc(one_line(tree.css_first(".ContentItem-time")), page.fetched_at),
            url=page.url,
            fetched_at=page.fetched_at,
        )


def _answer(node: LexborNode, text: str, page: Page, thread: str, of_author: Callable[[str], str]) -> Piece:
    author = of_author(_author(node))
    number = _number(node)
    votes = _meta(node, "meta[itemprop=upvoteCount]") or _attribute(
        node, "[data-votecount]", "data-votecount"
    )
    written = _meta(node, "meta[itemprop=dateCreated]") or one_line(
        node.css_first(".ContentItem-time, .answer-date-link")
    )
    return Piece(
        key=f"answer-{number}" if number else key_by_words("answer", author, text),
        kind="answer",
        thread=thread,
        text=text,
        author_hash=author,
        votes=number_in(votes),
        written_at=utc(written, page.fetched_at),
        url=page.url,
        fetched_at=page.fetched_at,
    )


def _number(node: LexborNode) -> str:
    """Return the answer's number: from its attributes, else from the address that it names."""
    for name in ("name", "data-atoken", "data-aid"):
        value = node.attributes.get(name) or ""
        if value.isdecimal():
            return value
    addresses = [node.attributes.get("itemid") or ""]
    addresses += [meta.attributes.get("content") or "" for meta in node.css("meta[itemprop=url]")]
    addresses += [link.attributes.get("href") or "" for link in node.css("a[href*='/answer/']")]
    found = (_ANSWER_ADDRESS.search(address) for address in addresses)
    return next((match.group(1) for match in found if match), "")


def _author(node: LexborNode) -> str:
    addresses = [meta.attributes.get("content") or "" for meta in node.css("meta[itemprop=url]")]
    addresses += [
        link.attributes.get("href") or "" for link in node.css("a[href*='/people/'], a[href*='/org/']")
    ]
    found = (_PERSON.search(address) for address in addresses)
    return next((match.group(1) for match in found if match), "")


def _meta(node: LexborNode | LexborHTMLParser, selector: str) -> str:
    return _attribute(node, selector, "content")


def _attribute(node: LexborNode | LexborHTMLParser, selector: str, name: str) -> str:
    found = node.css_first(selector)
    return (found.attributes.get(name) or "") if found else ""
