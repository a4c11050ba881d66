"""The lines of a robots.txt in the one form that Protego reads as we mean it.

A decoded robots.txt comes in; its rules go out, one well-formed line each, or the
fault that makes the whole text unreadable. Protego passes over what it can't
read; here such a line means no. Full-width colons, a byte order mark anywhere, and
our name with a version behind it are read as they were meant. Fields that are
well-formed and no rule (Sitemap, Host, Clean-param …) are left out. Nothing here
judges a URL.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

AGENT = "psyllm"
# Stands for every other crawler, so that no spelling of its name can be taken for ours.
_ANOTHER = "another-crawler"
# Fields without case, hyphens and spaces: `User agent` is one that is often met.
_RULES = ("useragent", "allow", "disallow", "crawldelay", "requestrate")
_KNOWN = frozenset({*_RULES, "sitemap", "sitemaps", "host", "cleanparam", "visittime"})
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9 _-]{0,39}):(.*)")
_PATH = re.compile(r"[/*]\S*")
_DELAY = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
# The hours for which a rate may be said are left out, so that it holds all day.
_RATE = re.compile(r"(0*[1-9][0-9]{0,5} ?/ ?0*[1-9][0-9]{0,5}[smhd]?)(?:\s+[0-9]{4}\s?-\s?[0-9]{4})?")
# Words that can only mean `disallow`, whatever follows them.
_NO = ("deny", "denied", "block", "forbid", "refuse", "reject", "exclude", "prohibit", "ban")
# A name, with a wildcard or without; `"*"`, `.*`, `[*]` and `a|b` may be meant for us.
_NAME = re.compile(r"\*+|[a-z0-9_.*-]*[a-z0-9][a-z0-9_.*-]*")
_ADDRESS = re.compile(r"\+?https?://[^\s,;()]*")
# May be meant as `*`. To read them so would let an `allow` that follows them outdo a `disallow` for `*`.
_ALL = frozenset({"all", "any", "every", "everyone", "everybody"})
# `dissallow` and 0.94, `dissalow` and 0.88 are meant; `noindex` has 0.4.
_ALIKE = 0.75


class Rules(NamedTuple):
    """Rules for Protego; `fault` says why there are none."""

    text: str = ""
    fault: str = ""


def rules_of(text: str) -> Rules:
    """Return the rules that a robots.txt says, or its fault."""
    kept: list[str] = []
    keys: set[str] = set()
    for line in re.split(r"[\r\n]+", text.replace("\ufeff", "").replace("\t", " ")):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        key, value = _field(said)
        rule = _rule(key, value)
        if rule is None or (key in _RULES and key != "useragent" and not kept):
            return Rules(fault="unreadable_line")
        keys.add(key)
        kept.extend(rule)
    # A text that is not empty and has no line of the format is something else in its place.
    return Rules(fault="no_rules") if keys and keys.isdisjoint(_KNOWN) else Rules("\n".join(kept))


def _field(line: str) -> tuple[str, str]:
    """Return a line's field without case and hyphens, and its value; an empty field for another form."""
    found = _LINE.fullmatch(line.replace("：", ":", 1) if ":" not in line.partition("：")[0] else line)
    if found is None or not line.isprintable():
        return "", ""
    key = re.sub(r"[ _-]", "", found[1].lower())
    alike = get_close_matches(key, _RULES, 1, _ALIKE) if key not in _KNOWN else []
    if alike == ["disallow"]:
        return "disallow", found[2].strip()  # a slip of the pen that everybody reads so
    return "" if alike else key, found[2].strip()


def _rule(key: str, value: str) -> list[str] | None:
    """Return a field as lines for Protego, none for what is no rule, None for what can't be read."""
    if not key or key.startswith(_NO):
        return None
    if key == "useragent":
        return _agents(value)
    if key in {"allow", "disallow"}:
        return [f"{key}: {value}"] if not value or _PATH.fullmatch(value) else None
    if key == "crawldelay":
        return [f"crawl-delay: {value}"] if _DELAY.fullmatch(value) else None
    if key == "requestrate":
        found = _RATE.fullmatch(value)
        return [f"request-rate: {found[1].replace(' ', '')}"] if found else None
    return []


def _agents(value: str) -> list[str] | None:
    """Return whom a group is for: all, us, or somebody else; product tokens only (RFC 9309, 2.2.1)."""
    plain = unicodedata.normalize("NFKC", value).lower()
    if not plain or not plain.isascii() or re.search(r":(?!//)", plain):
        return None  # nobody, or a second field on the line
    words = re.split(r"[\s,;()&]+", _ADDRESS.sub(" ", plain))
    names = {word.partition("/")[0] for word in words if word}
    if not names or names & _ALL or not all(map(_NAME.fullmatch, names)):
        return None
    found = ["*"] if any(not name.strip("*") for name in names) else []
    if any(fnmatchcase(AGENT, name) for name in names if name.strip("*")):
        found.append(AGENT)
    return [f"user-agent: {name}" for name in found or [_ANOTHER]]
