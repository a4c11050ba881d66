"""Erasing a visitor: every row that hangs on it, and what reviewers wrote about its records, down to the raw bytes.

SQLite overwrites what it deletes (`secure_delete`), and the write-ahead log is
moved into the database and cut to nothing afterwards, so the words stand in no
file of the casebook any more. Blocks that the disk itself has set aside, and
backups, are out of reach from here.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from psyllm.casebook.audit import note_down
from psyllm.casebook.consented import record_id
from psyllm.casebook.open import Casebook
from psyllm.casebook.reviews import erase_decisions
from psyllm.casebook.tables import Conversation, Visitor


async def erase_visitor(book: Casebook, visitor_id: str) -> None:
    """Erase a visitor with conversations, cases, ratings, consents and reviewers' edits of its words.

    Raises:
        CasebookError: the rows are deleted, but the write-ahead log still holds them.
    """
    async with book.writing() as session:
        own = await session.scalars(select(Conversation.id).where(Conversation.visitor_id == visitor_id))
        await erase_decisions(session, [record_id(conversation) for conversation in own])
        await session.execute(delete(Visitor).where(Visitor.id == visitor_id))
        # No identifier: an erased visitor leaves only the fact that somebody was erased.
        note_down(session, "visitor", "erased everything", "", book.now())
    await book.forget()
