"""Whoever comes from the package's model speaks only where those very weights are, and have passed."""

import json
import shutil

import pytest

from psyllm.core import embedded
from psyllm.core.base_models import base_hash
from psyllm.core.descent import made_from_embedded, mark_of_descent, not_vouched
from psyllm.core.stages import Manifest, Parent, Stage
from small_embedded import read_corpus, seat, ship_fingerprints, talk, write_marks

OTHER = Parent(stage=Stage.CORPUS.value, run="corpus-other", content_hash="0")
VOUCH = "an embedded model that this package does not vouch for"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Return the folder of a model that has passed."""
    read = read_corpus(tmp_path / "there", [talk("a:1", "我最近总是睡不着，躺下就想着白天的事情。", "累。")])
    folder = tmp_path / "package" / "embedded"
    ship_fingerprints(tmp_path / "there", folder)
    (folder / "config.json").write_text("{}")
    (folder / "model.int8.safetensors").write_bytes(b"weights")
    (folder / "psyllm.json").write_text(
        json.dumps({"lineage": {"run": "model-1", "parents": [read.as_parent().model_dump()]}})
    )
    seat(monkeypatch, folder)
    write_marks(folder)
    return folder


def lineage_of(folder):
    return json.loads((folder / "psyllm.json").read_text())["lineage"]


def made_from(folder, name, lineage=None):
    """Return what the manifest of a model says that was trained from a folder."""
    below = lineage or lineage_of(folder)
    base = Parent(stage="base", run=name, content_hash=base_hash(folder))
    said = {"base_lineage": below, **mark_of_descent(folder, name, below)}
    return Manifest(
        stage="4_models", run="model-2", fingerprint="m", parents=(OTHER, base), details={"lineage": said}
    )


def made_again(model, name):
    """Return what a model says that was trained from this one, somewhere else."""
    below = {**model.details["lineage"], "parents": [parent.model_dump() for parent in model.parents]}
    return model.model_copy(
        update={
            "parents": (OTHER, Parent(stage="base", run=name, content_hash="c")),
            "details": {"lineage": {"base_lineage": below}},
        }
    )


def test_what_comes_from_these_very_weights_speaks_if_they_have_passed(shipped):
    model = made_from(shipped, "embedded")
    assert model.details["lineage"]["embedded"] is True
    for each in (model, made_again(model, "model-2")):
        assert not_vouched(each) == ""
    write_marks(shipped, on_topic_percent=30)
    for each in (model, made_again(model, "model-2")):
        assert "made from the embedded model, and " in not_vouched(each)
        assert "on topic" in not_vouched(each)


@pytest.mark.parametrize("marked", [True, False])
def test_a_package_without_it_vouches_for_nothing(shipped, tmp_path, monkeypatch, marked):
    model = made_from(shipped, "embedded")
    if not marked:  # made by an older version
        del model.details["lineage"]["embedded"]
    seat(monkeypatch, tmp_path / "none")
    for each in (model, made_again(model, "model-2")):
        assert f"{VOUCH}: it holds none" in not_vouched(each)


def test_a_package_with_other_weights_that_pass_vouches_for_nothing(shipped):
    model = made_from(shipped, "embedded")
    (shipped / "model.int8.safetensors").write_bytes(b"newer weights")
    lineage = {"parents": [embedded.read_owner(shipped).model_dump()]}
    (shipped / "psyllm.json").write_text(json.dumps({"lineage": lineage}))
    write_marks(shipped)
    assert embedded.standing().passed
    assert VOUCH in not_vouched(model)
    assert "psyllm train --base embedded" in not_vouched(model)


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_copy_of_which_one_file_was_changed_is_known_by_what_it_has_read(shipped, tmp_path, forgotten):
    copy = shutil.copytree(shipped, tmp_path / "mine")
    (copy / "generation_config.json").write_text("{}")
    model = made_from(copy, "mine")
    assert model.details["lineage"]["embedded"] is True
    if forgotten:
        del model.details["lineage"]["embedded"]
    assert made_from_embedded(model)
    assert VOUCH in not_vouched(model)


def test_a_merge_of_it_is_known_by_its_parents(shipped, tmp_path, monkeypatch):
    base = Parent(stage="base", run="embedded", content_hash=base_hash(shipped))
    merged = {"run": "adapter", "permit": None, "base": "embedded", "base_lineage": lineage_of(shipped)}
    folder = shutil.copytree(shipped, tmp_path / "merged")
    (folder / "model.int8.safetensors").write_bytes(b"merged")
    older = made_from(folder, "merged", merged)
    del older.details["lineage"]["embedded"]
    assert VOUCH in not_vouched(older)  # an older version named no parent, so its hash is lost
    model = made_from(folder, "merged", {**merged, "parents": [base.model_dump()]})
    assert not_vouched(model) == ""
    write_marks(shipped, on_topic_percent=1)
    assert "on topic" in not_vouched(model)
    seat(monkeypatch, tmp_path / "none")
    assert VOUCH in not_vouched(model)


def test_who_learnt_the_same_corpus_from_nothing_or_has_another_base_was_not_made_from_it(shipped):
    (read,) = embedded.corpora()
    own = Manifest(
        stage="4_models",
        run="m",
        fingerprint="m",
        parents=(read,),
        details={"lineage": {"base_lineage": None}},
    )
    base = Parent(stage="base", run="gpt2", content_hash="b")
    fetched = own.model_copy(update={"parents": (OTHER, base)})
    write_marks(shipped, on_topic_percent=1)
    for model in (own, fetched, fetched.model_copy(update={"details": {}})):
        assert not_vouched(model) == ""
        assert not made_from_embedded(model)
    assert mark_of_descent(shipped.parent, "gpt2", None) == {}


@pytest.mark.parametrize("parents", ["x", 3, [3], [{"stage": "base"}]])
def test_a_line_that_can_not_be_read_is_silent_and_raises_nothing(shipped, parents):
    said = {"base_lineage": {"parents": parents}}
    model = Manifest(stage="4_models", run="m", fingerprint="m", details={"lineage": said})
    assert "can be read" in not_vouched(model)
