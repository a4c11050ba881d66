"""Small stories that casebook, serve and feedback tests tell: somebody asks, somebody answers."""

import asyncio
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psyllm.casebook import cases, runs, talk
from psyllm.casebook.kinds import MessageAuthor, Role
from psyllm.casebook.messages import Draft, Source
from psyllm.casebook.open import Casebook, casebook_path, casebook_url, open_casebook
from psyllm.casebook.tables import Staff
from psyllm.casebook.talk import Judgement, Said, Taken
from psyllm.casebook.visitors import find_visitor
from psyllm.core.private import Private
from psyllm.safety.levels import Level


@functools.cache
def blank_casebook() -> bytes:
    """The bytes of a casebook with its tables made: copying is quicker than migrating."""

    async def made(data: Path) -> None:
        await (await open_casebook(casebook_url(data))).close()

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, made(Path(folder))).result()
        return casebook_path(Path(folder)).read_bytes()


def put_blank_casebook(data: Path) -> None:
    """Put an empty casebook into a data folder."""
    path = casebook_path(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(blank_casebook())


PASSWORD = "correct horse battery"


def judged(level: Level = Level.NONE, message_level: Level | None = None) -> Judgement:
    own = level if message_level is None else message_level
    rules = ("rule-1",) if own > Level.NONE else ()
    return Judgement(level, own, rules, "lexicon-1", Private(f"notice for {level.label}"))


def said(
    text: str, key: str, level: Level = Level.NONE, own: Level | None = None, present: bool = False
) -> Said:
    return Said(
        text=Private(text),
        request_key=key,
        judgement=judged(level, own),
        counsellor_present=present,
    )


async def ask(
    book: Casebook,
    text: str = "最近睡不着",
    key: str = "key-0001",
    level: Level = Level.NONE,
    browser: str = "first",
) -> tuple[str, Taken]:
    """A visitor asks; return the visitor's id and what came of it."""
    visitor = await find_visitor(book, browser)
    taken = await talk.ask(
        book, visitor_id=visitor, secret=browser, title=Private(text[:20]), said=said(text, key, level)
    )
    return taken.conversation.visitor_id, taken


async def answer_from_library(book: Casebook, taken: Taken, text: str = "可以先记录几天的睡眠。") -> str:
    """The library answers; return the message's id."""
    assert taken.run is not None
    draft = Draft(MessageAuthor.LIBRARY, Private(text), Source("starter:1#0", "睡不着", True, "", 0.5))
    await runs.publish_whole(book, taken.run.id, draft)
    following = await runs.events_after(book, taken.run.id, 0)
    return next(iter(following.messages))


async def hire(book: Casebook, name: str = "lin", role: Role = Role.COUNSELLOR) -> Staff:
    """Somebody joins the staff; the password can't be signed in with (hashing is slow on purpose)."""
    person = Staff(name=name, role=role, password_hash="none", created_at=book.now())
    async with book.writing() as session:
        session.add(person)
    return person


async def open_case_id(book: Casebook, conversation_id: str) -> str:
    """The id of the conversation's case that is not closed."""
    return next(
        case.id for case in await cases.list_cases(book, None) if case.conversation_id == conversation_id
    )
