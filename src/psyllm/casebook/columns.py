"""Column types of the casebook: a person's words, moments in UTC, levels of risk."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, SmallInteger, Text, TypeDecorator

from psyllm.core.private import Private
from psyllm.safety.levels import Level


class WordsColumn(TypeDecorator[Private]):
    """Text of a person: `Private` in Python, text in the database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Private | None, _dialect: Dialect) -> str | None:
        """Unwrap on the way in."""
        return None if value is None else value.reveal()

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Private | None:
        """Wrap on the way out."""
        return None if value is None else Private(value)


class MomentColumn(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no time zone, so none is stored."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store as UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class LevelColumn(TypeDecorator[Level]):
    """A level of risk, as its number, so that the database can order by it."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Level | None, _dialect: Dialect) -> int | None:
        """Store the number."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> Level | None:
        """Give the level back."""
        return None if value is None else Level(value)
