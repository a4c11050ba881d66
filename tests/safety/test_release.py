"""A release needs a passed report, a named person and unchanged hashes."""

import datetime as dt
import json

import pytest

from psyllm.core.errors import BadInput, NotReleased
from psyllm.safety.release import current_hashes, release_state, report_path, sign

HASHES = {"model": "m1", "screen": "l1", "guard": "g1", "classifier": "none"}
DAY = dt.date(2026, 11, 23)


def write_report(tmp_path, **changes):
    path = tmp_path / "safety_report.json"
    path.write_text(json.dumps({"passed": True, "hashes": HASHES} | changes), "utf-8")
    return path


def test_a_signed_report_releases_and_names_who_signed(tmp_path):
    path = write_report(tmp_path)
    sign(path, HASHES, name=" 王医生 ", role="clinical lead", date=DAY)
    state = release_state(path, HASHES)
    assert state.signed
    assert state.reason == "signed by 王医生, clinical lead, 2026-11-23"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no safety report"),
        ("{", "can't be read"),
        ("[]", "can't be read"),
        ('{"passed": false, "hashes": {}}', "has not passed"),
        ('{"passed": "yes", "hashes": {}}', "has not passed"),
        ('{"passed": true}', "changed since the safety report: classifier, guard, model, screen"),
    ],
)
def test_without_a_passed_report_nothing_is_released_or_signed(tmp_path, content, reason):
    path = tmp_path / "safety_report.json"
    if content is not None:
        path.write_text(content, "utf-8")
    state = release_state(path, HASHES)
    assert not state.signed
    assert reason in state.reason
    with pytest.raises(NotReleased, match=reason):
        sign(path, HASHES, name="a", role="b", date=DAY)


def test_an_unsigned_report_does_not_release(tmp_path):
    state = release_state(write_report(tmp_path), HASHES)
    assert not state.signed
    assert "nobody has signed" in state.reason


@pytest.mark.parametrize("changed", sorted(HASHES))
def test_a_changed_hash_voids_the_signature(tmp_path, changed):
    path = write_report(tmp_path)
    sign(path, HASHES, name="a", role="b", date=DAY)
    state = release_state(path, HASHES | {changed: "other"})
    assert not state.signed
    assert changed in state.reason


def test_a_new_report_needs_a_new_signature(tmp_path):
    path = write_report(tmp_path)
    sign(path, HASHES, name="a", role="b", date=DAY)
    write_report(tmp_path, made_on="2026-12-01")
    assert "changed after it was signed" in release_state(path, HASHES).reason


def test_hashes_changed_in_report_and_call_but_not_in_the_signature_void_it(tmp_path):
    path = write_report(tmp_path)
    release = sign(path, HASHES, name="a", role="b", date=DAY)
    signature = json.loads(release.read_text("utf-8"))
    release.write_text(json.dumps(signature | {"hashes": HASHES | {"model": "m0"}}), "utf-8")
    assert "model" in release_state(path, HASHES).reason


@pytest.mark.parametrize("content", ["", "{}", '{"name": "a"}', "\x00"])
def test_a_broken_signature_is_none(tmp_path, content):
    path = write_report(tmp_path)
    path.with_name("safety_release.json").write_text(content, "utf-8")
    assert "can't be read as a signature" in release_state(path, HASHES).reason


def test_a_signature_without_a_name_is_none(tmp_path):
    path = write_report(tmp_path)
    for name, role in (("", "lead"), ("a", "  ")):
        with pytest.raises(BadInput):
            sign(path, HASHES, name=name, role=role, date=DAY)
    release = sign(path, HASHES, name="a", role="b", date=DAY)
    signature = json.loads(release.read_text("utf-8"))
    release.write_text(json.dumps(signature | {"name": " "}), "utf-8")
    assert "no person" in release_state(path, HASHES).reason


def test_the_hashes_in_use_name_model_screening_guard_and_classifier(tmp_path):
    hashes = current_hashes("abc")
    assert set(hashes) == {"model", "screen", "guard", "classifier"}
    assert hashes["model"] == "abc"
    assert report_path(tmp_path).parent.name == "safety"
