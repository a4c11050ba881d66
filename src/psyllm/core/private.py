"""A person's words, wrapped so that they can't slip into a log or an error.

`Private` hides its text in `repr`, `str` and `format`; only `.reveal()` gives
it back, so every place that reads a person's words can be found by that name.
It does not encrypt anything.
"""

from __future__ import annotations

from typing import final


@final
class Private:
    """Text of a person; shows only its length."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the words themselves."""
        return self._text

    def __len__(self) -> int:
        return len(self._text)

    def __repr__(self) -> str:
        return f"<private, {len(self._text)} characters>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Private) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Private", self._text))

    def __reduce__(self) -> str:
        message = "private text is never pickled; pass .reveal() on purpose"
        raise TypeError(message)
