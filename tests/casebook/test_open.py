"""The file, its modes and pragmas, its migrations."""

import asyncio
import logging
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.exc import OperationalError

from casebook_story import ask
from psyllm.casebook.open import Casebook, casebook_path, casebook_url, open_casebook
from psyllm.casebook.tables import Conversation, Table
from psyllm.core.errors import CasebookError, DiskFull
from psyllm.core.language import Language

pytestmark = pytest.mark.anyio


async def test_the_file_is_for_its_owner_only(book: Casebook, tmp_path: Path) -> None:
    await ask(book)
    folder = casebook_path(tmp_path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(names.values()) == {0o600}
    assert "casebook.sqlite3-wal" in names


async def test_a_file_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    path = casebook_path(tmp_path)
    path.parent.mkdir(mode=0o755)
    path.touch(0o644)
    await (await open_casebook(casebook_url(tmp_path))).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_both_kinds_of_sessions_have_the_pragmas(book: Casebook) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    for opening in (book.reading, book.writing):
        async with opening() as session:
            found = {name: await session.scalar(text(f"PRAGMA {name}")) for name in expected}
        assert found == expected


async def test_a_reader_cannot_write(book: Casebook) -> None:
    with pytest.raises(OperationalError):
        async with book.reading() as session:
            await session.execute(text("DELETE FROM visitors"))


async def test_a_full_disk_is_told_and_keeps_nothing_of_the_block(book: Casebook) -> None:
    async with book.writing() as session:
        pages = await session.scalar(text("PRAGMA page_count"))
        await session.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DiskFull, match="no space"):
        await ask(book, "字" * 50_000)
    async with book.writing() as session:
        await session.execute(text("PRAGMA max_page_count = 1000000"))
        assert await session.scalar(text("SELECT count(*) FROM visitors")) == 0
    await ask(book, "字" * 50_000)


async def test_a_writer_that_another_process_keeps_out_is_told(book: Casebook, tmp_path: Path) -> None:
    async with book.writing() as session:
        await session.execute(text("PRAGMA busy_timeout = 50"))
    with closing(sqlite3.connect(casebook_path(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CasebookError, match="locked"):
            await ask(book)
        other.execute("ROLLBACK")
    await ask(book)


async def test_writers_take_turns(book: Casebook) -> None:
    inside = 0
    most = 0

    async def write() -> None:
        nonlocal inside, most
        async with book.writing() as session:
            inside += 1
            most = max(most, inside)
            await session.execute(text("UPDATE visitors SET created_at = created_at"))
            inside -= 1

    await asyncio.gather(*(write() for _ in range(8)))
    assert most == 1


async def test_the_migrations_make_exactly_the_tables(book: Casebook, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{casebook_path(tmp_path)}")

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return list(compare_metadata(context, Table.metadata))

    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


async def test_a_casebook_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    book = await open_casebook(casebook_url(tmp_path))
    await ask(book)
    await book.close()
    with sqlite3.connect(casebook_path(tmp_path)) as raw:  # as the first version left it
        raw.execute("ALTER TABLE conversations DROP COLUMN language")
        raw.execute("DROP TABLE review_decisions")
        raw.execute("DROP TABLE review_skips")
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
    raw.close()
    book = await open_casebook(casebook_url(tmp_path))
    async with book.reading() as session:
        [conversation] = await session.scalars(select(Conversation))
    await book.close()
    assert conversation.language is Language.ZH


async def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    first = await open_casebook(casebook_url(tmp_path))
    visitor, taken = await ask(first)
    await first.close()
    second = await open_casebook(casebook_url(tmp_path))
    async with second.reading() as session:
        found = await session.scalar(text("SELECT visitor_id FROM conversations"))
    await second.close()
    assert (found, taken.conversation.visitor_id) == (visitor, visitor)


async def test_a_casebook_in_memory_is_refused() -> None:
    with pytest.raises(CasebookError, match="memory"):
        await open_casebook("sqlite+aiosqlite:///:memory:")


async def test_a_folder_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "casebook").write_text("a file where a folder should be")
    with pytest.raises(CasebookError, match="can't be made") as caught:
        await open_casebook(casebook_url(tmp_path))
    assert "--data" in caught.value.next_step


async def test_no_words_reach_a_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = "一句谁也不该在日志里看到的话"
    caplog.set_level(logging.DEBUG)
    names = ("aiosqlite", "sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.Engine", "alembic")
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    book = await open_casebook(casebook_url(tmp_path))
    try:
        await ask(book, secret)
        with pytest.raises(OperationalError) as caught:
            async with book.reading() as session:
                await session.execute(text("INSERT INTO visitors VALUES (:a)"), {"a": secret})
    finally:
        await book.close()
    assert secret not in caplog.text
    assert secret not in str(caught.value)
    assert caplog.records
