"""What Zhihu's own JSON holds: the entities of a page, or a page of the answers feed.

Comes in: the parsed JSON. Goes out: pieces of one thread, without address and
time of fetching. Fields are named in camelCase or in snake_case, by the age of
the page. Nothing here trusts a field to be there or to be of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from psyllm.collect.sites.content import text_of_html, without_names
from psyllm.collect.sites.contract import Piece
from psyllm.collect.sites.keys import number_in
from psyllm.collect.sites.times import utc

Item = dict[str, Any]
OfAuthor = Callable[[str], str]
NO_ONE = frozenset({"", "0"})


class Entities(NamedTuple):
    """Questions, answers and articles as the site's JSON holds them."""

    questions: Sequence[Item] = ()
    answers: Sequence[Item] = ()
    articles: Sequence[Item] = ()


def entities_of(content: object) -> Entities:
    """Return the entities of a page's `js-initialData`."""
    state = _dict(_dict(content).get("initialState"))
    entities = _dict(state.get("entities"))
    return Entities(*(_items(entities.get(name)) for name in Entities._fields))


def pieces_of(found: Entities, thread: str, of_author: OfAuthor) -> tuple[list[Piece], list[str]]:
    """Return the pieces of a thread, and by reason what was left out."""
    word, _, number = thread.partition("-")
    left_out: list[str] = []
    if word == "article":
        articles = (item for item in found.articles if _id(item) == number)
        return [_article(item, thread, of_author) for item in articles][:1], left_out
    pieces = [_question(item, thread, of_author) for item in found.questions if _id(item) == number][:1]
    pieces = [piece for piece in pieces if piece.title]
    for item in _answers(found, number):
        piece = _answer(item, thread, of_author)
        reason = "answer_is_paid" if _is_paid(item) else "" if piece.text else "answer_is_empty"
        if reason:
            left_out.append(reason)
        else:
            pieces.append(piece)
    return pieces, left_out


def _answers(found: Entities, question: str) -> Iterator[Item]:
    """Yield the question's answers; a page names answers of other questions, too."""
    for item in found.answers:
        own = _id(_dict(item.get("question")))
        if _id(item) and own in {"", question} and "content" in item:
            yield item


def _question(item: Item, thread: str, of_author: OfAuthor) -> Piece:
    topics = [topic.get("name") for topic in _items(item.get("topics"))]
    return Piece(
        key=thread,
        kind="question",
        thread=thread,
        title=" ".join(without_names(str(item.get("title") or "")).split()),
        text=text_of_html(str(item.get("detail") or "")),
        keywords=tuple(topic for topic in topics if isinstance(topic, str) and topic),
        author_hash=of_author(_author(item)),
        written_at=utc(_either(item, "created", "created_time", "createdTime")),
    )


def _answer(item: Item, thread: str, of_author: OfAuthor) -> Piece:
    return Piece(
        key=f"answer-{_id(item)}",
        kind="answer",
        thread=thread,
        text=text_of_html(str(item.get("content") or "")),
        author_hash=of_author(_author(item)),
        votes=number_in(_either(item, "voteupCount", "voteup_count")),
        written_at=utc(_either(item, "createdTime", "created_time", "created")),
    )


def _article(item: Item, thread: str, of_author: OfAuthor) -> Piece:
    return Piece(
        key=thread,
        kind="article",
        thread=thread,
        title=" ".join(without_names(str(item.get("title") or "")).split()),
        text=text_of_html(str(item.get("content") or "")),
        author_hash=of_author(_author(item)),
        written_at=utc(_either(item, "created", "created_time", "createdTime")),
    )


def _author(item: Item) -> str:
    """Return what names the author in an address, else the site's id, else the name."""
    author = _dict(item.get("author"))
    said = (str(author.get(name) or "") for name in ("urlToken", "url_token", "id", "name"))
    return next((value for value in said if value not in NO_ONE), "")


def _is_paid(item: Item) -> bool:
    said = _either(item, "answerType", "answer_type")
    return said == "paid" or bool(_either(item, "paidInfo", "paid_info"))


def _either(item: Item, *names: str) -> object:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _id(item: Item) -> str:
    value = item.get("id")
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _dict(value: object) -> Item:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Item]:
    """Return the objects of a list, or of an object that names them by id."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in values if isinstance(one, dict)]
