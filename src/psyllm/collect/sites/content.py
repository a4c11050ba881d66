"""HTML of what somebody wrote, as lines of text.

Comes in: an element of a parsed page, or the HTML of one as a site's JSON holds
it. Goes out: its text, one line a paragraph, list item or line break, without
pictures, scripts, styles and controls. The names of others that a writer calls
by `@name` go too, up to the next space or mark (at most 20 characters): they are
account names. Emoticons that are pictures are dropped with the pictures.
"""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborNode

from psyllm.collect.sites.parsing import parsed

# Lexbor writes < and > of text and attributes as entities, so a tag ends at its first >.
_UNSEEN = re.compile(
    r"<(script|style|noscript|template|svg|iframe|textarea|select|button|video|audio|object)\b.*?</\1>"
    r"|<!--.*?-->",
    re.DOTALL,
)
_MENTION = re.compile(r'<a\b[^>]*\bclass="[^"]*\bmember_mention\b[^"]*"[^>]*>.*?</a>', re.DOTALL)
_SPACE = re.compile(r"\n[ \t\n\f]*")
_BREAK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|dl|dt|dd|h[1-6]|blockquote|pre|table|tbody|tr|section|article|header|footer|"
    r"figure|figcaption|hr|details|summary)\b[^>]*>"
)
_CELL = re.compile(r"</t[dh]>")
_TAG = re.compile(r"<[^>]*>")
_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BETWEEN_WIDE = re.compile(
    rf"(?<={_WIDE})\n(?={_WIDE})"
)  # CSS Text 3, 4.1.3: no space between wide characters
_RUN = re.compile(r"[ \t\xa0]{2,}|[\t\xa0]")
_NAME = re.compile(r"(^|[\s，。！？：；、（(“])@[^\s@，。！？：；、（）()”,:;!?]{1,20}", re.MULTILINE)


def text_of(node: LexborNode | None) -> str:
    """Return the lines of an element; nothing for no element."""
    return "" if node is None else lines_of(node.html or "")


def text_of_html(fragment: str) -> str:
    """Return the lines of HTML as a site's JSON holds it, which may be malformed."""
    if "<" not in fragment and "&" not in fragment:
        return lines_of(fragment)
    body = parsed(fragment).body
    return text_of(body)


def lines_of(serialised: str) -> str:
    """Return the lines of HTML that a parser has written."""
    text = _UNSEEN.sub("", serialised)
    if "member_mention" in text:
        text = _MENTION.sub("", text)
    if "\n" in text or "\r" in text:
        text = _without_source_lines(text)
    text = _TAG.sub("", _CELL.sub(" ", _BREAK.sub("\n", text)))
    if "&" in text:
        text = html.unescape(text)
    if "@" in text:
        text = without_names(text)
    # A class of characters is searched forty times slower than a fixed string.
    if "  " in text or "\t" in text or "\xa0" in text:
        text = _RUN.sub(" ", text)
    stripped = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in stripped if line)


def _without_source_lines(text: str) -> str:
    """Return the text on one line: a line break of the source is no line break on the page."""
    text = _SPACE.sub("\n", text.replace("\r", "\n"))
    while " \n" in text:
        text = text.replace(" \n", "\n")
    return _BETWEEN_WIDE.sub("", text).replace("\n", " ")


def without_names(text: str) -> str:
    """Return the text without account names that are called by `@name`."""
    return _NAME.sub(r"\1", text)


def words_of(node: LexborNode | None) -> str:
    """Return the words of an element that holds no paragraphs: a name, a number, a time."""
    return "" if node is None else (node.text() or "").strip()


def one_line(node: LexborNode | None) -> str:
    """Return an element's text on one line, as for a title."""
    return " ".join(text_of(node).split())
