"""The door to the model hub, the only one: fetches a known model into the data folder.

In: a known model, and that a person accepts its licence. Out: its folder, with
`fetched.json` (repository, revision, licence, every file's hash), written last;
a fetch that breaks off leaves no such folder, and the next goes on with it.
Settings, tokenizer and weights are fetched, safetensors before pickles; programs
are not, and none is ever run (`trust_remote_code` is off wherever a model is
loaded). Nothing here loads a model.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from psyllm.core.errors import BadCheckpoint, BadSetting, DiskFull, HubFailed
from psyllm.core.licences import shares_alike, uses_of
from psyllm.core.permits import Permit
from psyllm.core.progress import report
from psyllm.core.records import Frozen
from psyllm.core.stages import file_hash, write_text_atomically
from psyllm.lm.known import NOT_STATED, Known, hub_folder

FETCHED = "fetched.json"
PARTIAL = ".partial"
NEWEST = "main"  # the branch that publishers keep current
SMALL_SUFFIXES = (".json", ".txt", ".model", ".jinja")
WEIGHTS = (".safetensors", ".bin")  # in the order of preference
ROOM_SHARE = 1.05  # what must be free, of what is fetched


class Listing(NamedTuple):
    """A repository at one revision: its files with their bytes."""

    revision: str
    licence: str
    files: Mapping[str, int]


class Fetched(Frozen):
    """What `fetched.json` says: `files` by name with their sha256; `asked` is the branch, tag or hash that was named."""

    repository: str
    revision: str
    licence: str
    files: dict[str, str]
    asked: str = ""


class Hub(Protocol):
    """What fetches; tests bring another."""

    def listing(self, repository: str, revision: str) -> Listing:
        """Return what a revision holds, the revision by its full hash."""

    def download(self, repository: str, revision: str, names: list[str], target: Path) -> None:
        """Write the named files of a revision into a folder; files that are there whole stay."""


class HuggingFace:
    """The real hub; HF_ENDPOINT names a mirror."""

    def listing(self, repository: str, revision: str) -> Listing:
        """Return what a revision holds.

        Raises:
            HubFailed: the hub can't be reached, or has no such thing.
        """
        from huggingface_hub import HfApi

        try:
            found = HfApi().model_info(repository, revision=revision, files_metadata=True)
        except Exception as error:  # the library raises its own, httpx's and OSError
            raise _failed(repository, error) from error
        card: Any = found.card_data
        files = {one.rfilename: one.size or 0 for one in found.siblings or []}
        licence: Any = (card.get("license") if card else None) or NOT_STATED
        # of several the strictest counts
        licence = " AND ".join(licence) if isinstance(licence, list) else str(licence)
        return Listing(found.sha or revision, licence, files)

    def download(self, repository: str, revision: str, names: list[str], target: Path) -> None:
        """Write the named files of a revision into a folder.

        Raises:
            HubFailed: the hub broke off.
        """
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(repository, revision=revision, allow_patterns=names, local_dir=target)
        except Exception as error:
            raise _failed(repository, error) from error


def fetch(known: Known, data: Path, *, accept_licence: bool, revision: str = NEWEST, hub: Hub) -> Path:
    """Return the folder of a known model, fetched unless it is there.

    Raises:
        BadSetting: nobody has accepted the licence, or another revision is there already.
        HubFailed: the hub can't be reached, has not got it, or it holds no weights.
        DiskFull: it would not fit.
    """
    folder = hub_folder(data, known.name)
    if (folder / FETCHED).is_file():
        _need_same(folder, revision)
        return folder
    listing = hub.listing(known.repository, revision)
    names = wanted_files(listing.files)
    _refuse(known, listing, names, accept_licence=accept_licence)
    size_bytes = sum(listing.files[name] for name in names)
    partial = folder.with_name(folder.name + PARTIAL)
    partial.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(partial).free < size_bytes * ROOM_SHARE:
        message = f"{known.name} needs {size_bytes / 2**30:.1f} GiB in {folder.parent}"
        raise DiskFull(message, "free some space, or name another disk with --data DIR")
    task = f"fetching {known.name}"
    report(task, 0, None, f"revision {listing.revision[:12]}, {size_bytes / 2**30:.1f} GiB")
    hub.download(known.repository, listing.revision, names, partial)
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    missing = [name for name in names if not (partial / name).is_file()]
    if missing:
        message = f"{known.repository}: {missing[0]} did not arrive"
        raise HubFailed(message, f"psyllm models fetch {known.name} --accept-licence")
    said = Fetched(
        repository=known.repository,
        revision=listing.revision,
        licence=listing.licence,
        files={name: file_hash(partial / name) for name in names},
        asked=revision,
    )
    write_text_atomically(partial / FETCHED, said.model_dump_json(indent=1))
    partial.rename(folder)
    report(task, 1, 1, f"revision {listing.revision[:12]}")
    return folder


def read_fetched(folder: Path) -> Fetched:
    """Return what is known of a fetched folder.

    Raises:
        BadCheckpoint: its note can't be read.
    """
    try:
        return Fetched.model_validate_json((folder / FETCHED).read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        message = f"{folder / FETCHED} can't be read"
        raise BadCheckpoint(message, f"delete {folder} and fetch it again") from error


def fetched_permit(folder: Path) -> Permit | None:
    """Return what a fetched model's licence permits; None where the folder was not fetched.

    Raises:
        BadCheckpoint: its note can't be read.
    """
    if not (folder / FETCHED).is_file():
        return None
    licence = read_fetched(folder).licence
    named = "" if licence == NOT_STATED else licence
    row = {"source": f"base {folder.name}", "licence": named, "uses": uses_of(named)}
    row |= {"expires": "", "agreement": ""}
    return Permit(uses_of(named), shares_alike(named), "", [row])


def wanted_files(files: Mapping[str, int]) -> list[str]:
    """Return the names worth fetching: small ones of the top folder, and one form of the weights."""
    top = sorted(name for name in files if "/" not in name)
    weights = next(
        (found for suffix in WEIGHTS if (found := [name for name in top if name.endswith(suffix)])), []
    )
    small = [name for name in top if name.endswith(SMALL_SUFFIXES) and name != FETCHED]
    return [*small, *weights]


def _refuse(known: Known, listing: Listing, names: list[str], *, accept_licence: bool) -> None:
    if not any(name.endswith(WEIGHTS) for name in names):
        message = f"{known.repository} holds no weights at revision {listing.revision[:12]}"
        raise HubFailed(message, "name another revision with --revision")
    if not accept_licence:
        terms = listing.licence
        if terms == NOT_STATED:
            terms = f"{NOT_STATED}: nobody has given a permission to use it, ask its publisher"
        message = f"{known.repository}, revision {listing.revision}, licence {terms}"
        raise BadSetting(message, f"read it, then: psyllm models fetch {known.name} --accept-licence")


def _need_same(folder: Path, revision: str) -> None:
    there = read_fetched(folder)
    # a branch or a tag is a name, not the beginning of the hash that it stood for
    if revision not in {NEWEST, there.asked} and not there.revision.startswith(revision):
        message = f"{folder} holds revision {there.revision}, not {revision}"
        raise BadSetting(message, f"delete {folder} first, for models may have been trained on it")


def _failed(repository: str, error: Exception) -> HubFailed:
    message = f"the model hub did not give {repository}: {type(error).__name__}"
    if type(error).__name__ == "GatedRepoError":
        return HubFailed(message, "ask its publisher for access on its page, then give HF_TOKEN")
    advice = "check the connection (HTTPS_PROXY, HF_ENDPOINT for a mirror), or copy its files by hand into data/hub/NAME"
    return HubFailed(message, advice)
