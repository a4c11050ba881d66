"""Who allows what: `permission.toml` becomes a `Permission`, or nothing is fetched.

A path comes in; a checked, frozen `Permission` goes out: its document lies beside
the file and has the hash that was written down, and its last day is not over.
`covers` and `expired` are asked again before every request. Nothing here opens
a connection or judges whether the basis is a good one: that is a person's work.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError, field_validator

from psyllm.collect.sites.choose import SITES
from psyllm.core.errors import BadInput, MissingFile, NoPermission
from psyllm.core.records import Frozen
from psyllm.core.stages import file_hash
from psyllm.core.tombstones import is_marked_url

TEMPLATE = Path(__file__).with_name("permission.toml")
TEMPLATE_COMMAND = "psyllm collect permission-template > permission.toml"
# A mail address or a page: whoever finds us in a log must be able to ask us to stop.
_CONTACT = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|https?://\S+")
# What a host may be: a name or an address, in ASCII as it is sent, and a port.
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_SHA256 = r"^[0-9a-f]{64}$"
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
SOURCE = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_USUAL_PORTS = {"http": 80, "https": 443}


class Scope(Frozen):
    """Hosts and the paths on them that may be fetched; `site` names the site that they are a copy of."""

    hosts: Annotated[tuple[str, ...], Field(min_length=1)]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    site: str = ""

    @field_validator("site")
    @classmethod
    def _known_site(cls, site: str) -> str:
        if site and site not in SITES:
            message = f"there is no site {site}; there are: {', '.join(SITES)}"
            raise ValueError(message)
        return site

    @field_validator("hosts")
    @classmethod
    def _plain_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in hosts if not _HOST.fullmatch(host)]
        if wrong:
            message = f"{wrong[0]} is no host: write it as in www.example.org or 127.0.0.1:8000"
            raise ValueError(message)
        return hosts

    @field_validator("paths")
    @classmethod
    def _absolute_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [path for path in paths if not path.startswith("/") or "*" in path[:-1]]
        if wrong:
            message = f"{wrong[0]} is no path: it begins with / and may end in *"
            raise ValueError(message)
        return paths

    def holds(self, host: str, path: str) -> bool:
        """Return whether a host (with an unusual port) and a path lie inside."""
        return host in self.hosts and any(_is_below(path, allowed) for allowed in self.paths)


class Permission(Frozen):
    """A permission as it was given: its scope, its limits and what it rests on."""

    id: Annotated[str, Field(pattern=_NAME)]
    source: Annotated[str, Field(pattern=SOURCE)]
    basis: Annotated[str, Field(min_length=10)]
    contact: str
    expires: date
    document: Annotated[str, Field(min_length=1)]
    document_sha256: Annotated[str, Field(pattern=_SHA256)]
    licence: Annotated[str, Field(min_length=1)]
    may_train: bool
    may_show: bool
    delay_s: Annotated[float, Field(ge=0, le=86400)]
    scope: Annotated[tuple[Scope, ...], Field(min_length=1)]
    starts: Annotated[tuple[str, ...], Field(min_length=1)]
    most_pages: Annotated[int, Field(gt=0)] | None = None
    retention_days: Annotated[int, Field(gt=0)] | None = None
    forgotten: frozenset[str] = frozenset()  # hashes of addresses with a tombstone; never in the file

    @field_validator("contact")
    @classmethod
    def _reachable(cls, contact: str) -> str:
        # It becomes a header: nothing but printable ASCII may stand in it.
        if not _CONTACT.fullmatch(contact) or not contact.isascii() or not contact.isprintable():
            raise ValueError("must be a mail address or a page that begins with https://")
        return contact

    @field_validator("document")
    @classmethod
    def _beside(cls, document: str) -> str:
        if PurePosixPath(document).name != document:
            raise ValueError("must be the name of a file that lies beside the permission")
        return document

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Every host of the scope."""
        return frozenset(host for scope in self.scope for host in scope.hosts)

    def covers(self, url: str) -> bool:
        """Return whether a URL lies in the scope; one that can be read in two ways does not."""
        host, path = place_of(url)
        if is_marked_url(url, self.forgotten):
            return False
        return bool(host) and any(scope.holds(host, path) for scope in self.scope)

    def expired(self, now: datetime) -> bool:
        """Return whether the last day is over."""
        return now.astimezone(UTC).date() > self.expires

    @property
    def mail(self) -> str:
        """The contact as a mail address; empty when it is a page."""
        return "" if self.contact.startswith(("http://", "https://")) else self.contact


def read_permission(path: Path, now: datetime) -> Permission:
    """Return the permission that a file holds, with its document found whole.

    Raises:
        MissingFile: there is no such file.
        NoPermission: it is not filled in, over, or its document is not the one written down.
    """
    permission = _parsed(path)
    if permission.expired(now):
        message = f"{path}: the permission {permission.id} ended on {permission.expires}"
        raise NoPermission(
            message, "ask for a new one, and write its document, hash and last day into the file"
        )
    document = path.parent / permission.document
    if not document.is_file():
        message = f"{path}: its document {permission.document} does not lie beside it"
        raise NoPermission(message, f"lay the document there: {document}")
    found = file_hash(document)
    if found != permission.document_sha256:
        message = f"{path}: its document {permission.document} has the hash {found}, not the one written down"
        raise NoPermission(message, "check which document was agreed to; write its sha256 as document_sha256")
    outside = [start for start in permission.starts if not permission.covers(start)]
    if outside:
        message = f"{path}: {len(outside)} of its {len(permission.starts)} starts lie outside its own scope"
        raise NoPermission(message, "write starts that begin with a host and a path of [[scope]]")
    return permission


def _parsed(path: Path) -> Permission:
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        message = f"there is no permission {path}; without one nothing is fetched"
        raise MissingFile(message, f"write one: {TEMPLATE_COMMAND}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        place = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        message = f"{path} is not valid TOML: {place}"
        raise NoPermission(message, f"mend it; this shows the form: {TEMPLATE_COMMAND}") from None
    try:
        return Permission.model_validate({**values, "forgotten": frozenset()})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = f"{path}: {name}: {first['msg'].lower()}"
        raise NoPermission(message, f"fill it in; this shows the form: {TEMPLATE_COMMAND}") from None


def place_of(url: str) -> tuple[str, str]:
    """Return (host with an unusual port, path) of a URL; two empty strings for one that is not plain.

    Not plain is what a server may read in another way than we do: user names, backslashes,
    white space, dot segments however they are written.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", ""
    usual = _USUAL_PORTS.get(parts.scheme)
    if usual is None or not parts.hostname or "@" in parts.netloc or _is_ambiguous(url, parts.path):
        return "", ""
    host = parts.hostname if port in {None, usual} else f"{parts.hostname}:{port}"
    return host, parts.path or "/"


def _is_ambiguous(url: str, path: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return True
    plain = unquote(unquote(path))
    return "\\" in plain or any(_is_dots(part) for part in plain.split("/"))


def _is_dots(segment: str) -> bool:
    """Return whether a server may take a segment for `.` or `..`: some drop what follows `;`, or control characters."""
    name = segment.partition(";")[0]
    return "".join(character for character in name if character.isprintable()).strip() in {".", ".."}


def _is_below(path: str, allowed: str) -> bool:
    if allowed.endswith("*"):
        return path.startswith(allowed[:-1])
    folder = allowed.rstrip("/")
    return path in {allowed, folder} or path.startswith(f"{folder}/")


def template() -> str:
    """Return a permission to fill in.

    Raises:
        BadInput: the package was installed without it.
    """
    try:
        return TEMPLATE.read_text("utf-8")
    except FileNotFoundError:
        raise BadInput("the template is missing from the package", "install psyllm again") from None
