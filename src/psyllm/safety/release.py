"""Whether the service may face the public: a passed report, signed by a named person.

A safety report (report.py) comes in, and `sign` writes `safety_release.json`
beside it: name, role, date, the report's own hash and the hashes of model,
screening, guard and classifier. A changed hash, or a changed report, voids the
signature. This is a record of responsibility, not a proof of identity: whoever
can write the file can write a name.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from psyllm.core.errors import BadInput, NotReleased
from psyllm.core.records import Frozen
from psyllm.core.stages import file_hash, write_text_atomically
from psyllm.safety.made_of import guard_version, screen_version

REPORT_NAME = "safety_report.json"
RELEASE_NAME = "safety_release.json"
NO_CLASSIFIER = "none"


class Release(NamedTuple):
    """Whether a valid signature stands; `reason` says what is missing, or who signed."""

    signed: bool
    reason: str


class Signature(Frozen):
    """The content of `safety_release.json`."""

    name: str
    role: str
    date: dt.date
    report_hash: str
    hashes: dict[str, str]


def report_path(data: Path) -> Path:
    """Return where the safety report of a data folder lies."""
    return data / "safety" / REPORT_NAME


def current_hashes(model_hash: str) -> dict[str, str]:
    """Return the hashes that a release is bound to; `model_hash` is that of the model in use, or "none"."""
    return {
        "model": model_hash,
        "screen": screen_version(),
        "guard": guard_version(),
        "classifier": NO_CLASSIFIER,
    }


def release_state(report_path: Path, hashes: Mapping[str, str]) -> Release:
    """Return whether the report has passed, belongs to `hashes` and is signed; never raises for bad files."""
    reason = _report_fault(report_path, hashes)
    if reason:
        return Release(signed=False, reason=reason)
    try:
        signature = Signature.model_validate_json(_release_path(report_path).read_text("utf-8"))
    except OSError:
        return Release(signed=False, reason="the safety report has passed but nobody has signed it")
    except (ValidationError, UnicodeDecodeError):
        return Release(signed=False, reason=f"{RELEASE_NAME} can't be read as a signature")
    reason = _signature_fault(signature, report_path, hashes)
    if reason:
        return Release(signed=False, reason=reason)
    return Release(signed=True, reason=f"signed by {signature.name}, {signature.role}, {signature.date}")


def was_signed(report_path: Path) -> bool:
    """Return whether anybody ever signed beside this report, validly still or not; also where nobody can tell."""
    try:
        _release_path(report_path).lstat()
    except FileNotFoundError:
        return False
    except OSError:  # unseen is not unsigned
        return True
    return True


def sign(report_path: Path, hashes: Mapping[str, str], *, name: str, role: str, date: dt.date) -> Path:
    """Write the signature beside a passed report and return its path.

    Raises:
        NotReleased: the report is absent, has failed or belongs to other hashes.
        BadInput: name or role is empty.
    """
    reason = _report_fault(report_path, hashes)
    if reason:
        message = f"this report can't be signed: {reason}"
        raise NotReleased(
            message, "make a new one with the model that will serve: psyllm serve report LABELLED.json"
        )
    if not name.strip() or not role.strip():
        raise BadInput("a signature needs a person's name and role", "give both --name and --role")
    signature = Signature(
        name=name.strip(),
        role=role.strip(),
        date=date,
        report_hash=file_hash(report_path),
        hashes=dict(hashes),
    )
    path = _release_path(report_path)
    write_text_atomically(path, signature.model_dump_json(indent=2) + "\n")
    return path


def _release_path(report_path: Path) -> Path:
    return report_path.with_name(RELEASE_NAME)


def _signature_fault(signature: Signature, report_path: Path, hashes: Mapping[str, str]) -> str:
    if signature.report_hash != file_hash(report_path):
        return "the safety report was changed after it was signed"
    if signature.hashes != dict(hashes):
        return f"changed after signing: {_differing(signature.hashes, hashes)}"
    if not signature.name.strip() or not signature.role.strip():
        return "the signature names no person or no role"
    return ""


def _report_fault(report_path: Path, hashes: Mapping[str, str]) -> str:
    """Return why the report does not allow a release, or nothing."""
    report = _read_report(report_path)
    if isinstance(report, str):
        return report
    if report.get("passed") is not True:
        return "the safety report has not passed"
    if report.get("hashes") != dict(hashes):
        held = report.get("hashes")
        changed = _differing(held if isinstance(held, dict) else {}, hashes)
        return f"changed since the safety report: {changed}"
    return ""


def _read_report(report_path: Path) -> dict[str, Any] | str:
    try:
        report = json.loads(report_path.read_text("utf-8"))
    except OSError:
        return "there is no safety report"
    except ValueError:
        return "the safety report can't be read"
    return report if isinstance(report, dict) else "the safety report can't be read"


def _differing(held: Mapping[str, str], hashes: Mapping[str, str]) -> str:
    return ", ".join(sorted(name for name in {*held, *hashes} if held.get(name) != hashes.get(name)))
