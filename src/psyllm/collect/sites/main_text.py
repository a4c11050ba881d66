"""The main text of a page by trafilatura; loaded by the extraction's process alone.

Comes in: a page's markup and address. Goes out: title, text and day, or nothing.
The default mode is used: `fast` keeps one of ten answers of a forum's page,
precision loses more, and recall adds menus (measured on pages of ten answers).
"""

from __future__ import annotations

from trafilatura import bare_extraction


def main_text(markup: str, url: str) -> dict[str, str]:
    """Return what trafilatura finds; empty when it finds nothing."""
    document = bare_extraction(markup, url=url or None, include_comments=False, with_metadata=True)
    if document is None:
        return {}
    said = document if isinstance(document, dict) else document.as_dict()
    return {name: said.get(name) or "" for name in ("title", "text", "date")}
