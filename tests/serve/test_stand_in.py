"""The package's model writes only on trial, only where it has passed, and never in place of a fit one."""

import asyncio
import datetime as dt
import functools
import json

import pytest

from psyllm.core import embedded
from psyllm.core.embedded import Marks
from psyllm.core.settings import Decoding, ServeSettings
from psyllm.safety.release import RELEASE_NAME, current_hashes, report_path, sign
from psyllm.serve.fitness import Fitness
from psyllm.serve.parts import open_parts
from psyllm.serve.released import model_hash, release_of
from psyllm.serve.reply import Speaker
from psyllm.serve.stand_in import writer

TODAY = dt.date(2027, 6, 30)
FREE = {"uses": "any", "expires": "", "share_alike": False, "sources": []}


def put_package(monkeypatch, folder, *, passed=True, figures=None, **permit):
    """Put a package's model into a folder: its card, its marks, its standing."""
    folder.mkdir()
    card = {
        "template_version": "turns-1",
        "tokenizer_sha256": "a" * 64,
        "vocabulary": 400,
        "context_tokens": 64,
        "lineage": {"permit": {**FREE, **permit}},
    }
    (folder / "psyllm.json").write_text(json.dumps(card))
    measured = {**ServeSettings().decoding.model_dump(), "bits_per_char": 2.8, "guard_passed_percent": 90.5}
    measured |= figures or {}
    marks = Marks(base_sha256="b", measured={name: one for name, one in measured.items() if one}, asked={})
    monkeypatch.setattr(embedded, "FOLDER", folder)
    monkeypatch.setattr(embedded, "read_marks", lambda: marks)
    monkeypatch.setattr(embedded, "standing", lambda: embedded.Standing(True, passed, "said"))
    return folder


def put_release(data):
    path, hashes = report_path(data), current_hashes(model_hash(data))
    path.parent.mkdir()
    path.write_text(json.dumps({"passed": True, "hashes": hashes}))
    sign(path, hashes, name="王医生", role="clinical lead", date=TODAY)
    assert release_of(data).signed


def who(data, **settings):
    return writer(ServeSettings(**settings), data, TODAY)


def test_without_a_fit_model_it_stands_in_on_trial_and_says_so(tmp_path, monkeypatch):
    folder = put_package(monkeypatch, tmp_path / "package")
    found = who(tmp_path)
    assert found.folder == folder
    assert found.last_day is None
    assert found.reason.startswith("on trial the small model in the package")
    assert found.reason.endswith("there is no model yet; run: psyllm train")


@pytest.mark.parametrize("signature", ["valid", "{ torn", "{}"])
def test_where_anybody_ever_signed_it_never_writes(tmp_path, monkeypatch, signature):
    put_package(monkeypatch, tmp_path / "package")
    assert who(tmp_path).folder is not None
    if signature == "valid":
        put_release(tmp_path)
    else:
        path = report_path(tmp_path).with_name(RELEASE_NAME)
        path.parent.mkdir()
        path.write_text(signature)
    assert who(tmp_path).folder is None


def test_a_signature_that_nobody_can_look_for_counts(tmp_path, monkeypatch):
    put_package(monkeypatch, tmp_path / "package")
    (tmp_path / "safety").write_text("no folder")
    assert who(tmp_path).folder is None


@pytest.mark.anyio
@pytest.mark.parametrize(("signed", "state"), [(False, "starting"), (True, "off")])
async def test_a_signed_folder_opens_without_it(tmp_path, monkeypatch, signed, state):
    put_package(monkeypatch, tmp_path / "package")
    if signed:
        put_release(tmp_path)
    started = []

    async def start(folder, threads):
        started.append(folder)
        await asyncio.Event().wait()

    monkeypatch.setattr("psyllm.serve.parts.Speaker", functools.partial(Speaker, start=start))
    async with open_parts(ServeSettings(), tmp_path, released=signed) as parts:
        await asyncio.sleep(0)
        assert await parts.speaker.state() == state
    assert bool(started) is not signed


@pytest.mark.parametrize("which", ["any", "none"])
def test_it_stands_in_only_where_a_fit_model_is_asked_for(tmp_path, monkeypatch, which):
    put_package(monkeypatch, tmp_path / "package")
    assert who(tmp_path, model=which).folder is None


@pytest.mark.parametrize(
    "lacking",
    [
        {"passed": False},
        {"figures": {"bits_per_char": 4.01}},
        {"figures": {"guard_passed_percent": 79.9}},
        {"figures": {"bits_per_char": None}},
        {"figures": {"guard_passed_percent": None}},
        {"figures": {"temperature": None}},
        {"uses": "research"},
        {"expires": "2099-01-01"},
    ],
)
def test_what_is_not_measured_not_enough_or_not_permitted_keeps_it_silent(tmp_path, monkeypatch, lacking):
    put_package(monkeypatch, tmp_path / "package", **lacking)
    assert who(tmp_path).folder is None


def test_other_settings_than_it_was_measured_with_keep_it_silent(tmp_path, monkeypatch):
    put_package(monkeypatch, tmp_path / "package")
    assert who(tmp_path, decoding=Decoding(temperature=1.3)).folder is None
    assert who(tmp_path, most_bits_per_char=2.5).folder is None
    assert who(tmp_path, least_guard_passed_percent=95).folder is None


def test_without_marks_that_can_be_read_it_is_silent(tmp_path, monkeypatch):
    put_package(monkeypatch, tmp_path / "package")
    monkeypatch.setattr(embedded, "read_marks", lambda: None)
    assert who(tmp_path).folder is None


@pytest.mark.parametrize("card", ["{ torn", "{}", None])
def test_a_damaged_package_is_silent_and_stops_no_service(tmp_path, monkeypatch, card):
    folder = put_package(monkeypatch, tmp_path / "package")
    path = folder / "psyllm.json"
    path.unlink() if card is None else path.write_text(card)
    assert who(tmp_path).folder is None


def test_a_fit_model_in_use_writes_itself(tmp_path, monkeypatch):
    put_package(monkeypatch, tmp_path / "package")
    own = Fitness(tmp_path / "own", "it is fit to write")
    monkeypatch.setattr("psyllm.serve.stand_in.fit_model", lambda *_: own)
    assert who(tmp_path) == own
