"""Models that leave: whole or not at all, with their terms, and usable where they arrive."""

import datetime as dt
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from hardship import no_space
from lm.small_bases import shaped, write_base
from psyllm.core import embedded
from psyllm.core.errors import BadCheckpoint, BadInput, DiskFull, MissingStage
from psyllm.core.permits import Permit
from psyllm.lm import export as exporting
from psyllm.lm.checkpoint import load, load_base, load_weights, save
from psyllm.lm.export import export
from psyllm.lm.export_card import licences
from psyllm.lm.model_card import read_card
from psyllm.lm.score import score
from psyllm.lm.template import Message

DIALOGUE = [Message("visitor", "今天心里很乱"), Message("counsellor", "慢慢说")]
SOURCES = [
    {"source": "made", "licence": "CC-BY-4.0", "uses": "research", "expires": "2099-06-30", "agreement": "A7"}
]
PERMIT = {"uses": "research", "share_alike": True, "expires": "2099-06-30", "sources": SOURCES}
LINEAGE = {"run": "model-1", "permit": PERMIT, "parents": [], "base": "", "base_lineage": None}


@pytest.fixture
def source(memorised, tmp_path):
    """The model that knows three answers by heart, with a lineage."""
    folder = shutil.copytree(memorised, tmp_path / "source")
    card = json.loads((folder / "psyllm.json").read_text())
    (folder / "psyllm.json").write_text(json.dumps(card | {"lineage": LINEAGE}))
    return folder


def bits_per_char(folder):
    scored = score(folder, [DIALOGUE], threads=1)[0]
    return scored.nll_nats / scored.chars / 0.6931


@pytest.mark.parametrize(
    ("dtype", "most_bits_off", "most_bytes_share"),
    [("fp32", 0, 1.01), ("bf16", 0.1, 0.52), ("fp16", 0.01, 0.52), ("int8", 0.1, 0.32)],
)
def test_every_size_is_loaded_scored_and_trained_on_as_before(
    dtype, most_bits_off, most_bytes_share, source, tmp_path
):
    done = export(source, tmp_path / "out", "safetensors", dtype)
    assert done.folder == tmp_path / "out"
    weights = sum(size for name, size in done.files.items() if name.endswith(".safetensors"))
    assert weights < most_bytes_share * (source / "model.safetensors").stat().st_size
    before, after = load(source), load(tmp_path / "out")
    assert after.tokenizer.to_text() == before.tokenizer.to_text()
    assert after.context_tokens == before.context_tokens
    assert after.model.generation_config.eos_token_id == before.model.generation_config.eos_token_id
    assert {weight.dtype for weight in after.model.parameters()} == {torch.float32}
    assert abs(bits_per_char(tmp_path / "out") - bits_per_char(source)) <= most_bits_off
    model, _ = load_base(tmp_path / "out")
    assert model.get_input_embeddings().weight.shape == before.model.get_input_embeddings().weight.shape


def test_the_card_and_the_terms_go_with_it(source, tmp_path):
    export(source, tmp_path / "out", "safetensors", "bf16")
    card = read_card(tmp_path / "out")
    assert card.lineage == {**LINEAGE, "export": {"form": "safetensors", "dtype": "bf16"}}
    assert card.model_copy(update={"lineage": LINEAGE}) == read_card(source)
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    for said in (
        "no emergency service",
        "research only",
        "2099-06-30",
        "CC-BY-4.0",
        "A7",
        "same terms",
        "model-1",
    ):
        assert said in text
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert {weight.dtype for weight in load_file(tmp_path / "out" / "model.safetensors").values()} == {
        torch.bfloat16
    }


def test_marks_of_other_weights_stay_behind_and_descent_goes_with_it(source, tmp_path, monkeypatch):
    (source / "marks.json").write_text("{}")
    monkeypatch.setattr(embedded, "FOLDER", source)
    export(source, tmp_path / "out", "safetensors", "bf16")
    assert not (tmp_path / "out" / "marks.json").exists()
    assert read_card(tmp_path / "out").lineage["embedded"] is True
    monkeypatch.setattr(embedded, "FOLDER", tmp_path / "none")
    export(tmp_path / "out", tmp_path / "again", "safetensors", "fp32")
    assert read_card(tmp_path / "again").lineage["embedded"] is True


def test_a_base_and_its_base_are_named_to_the_last(source, tmp_path):
    card = json.loads((source / "psyllm.json").read_text())
    step = {
        "run": "model-2",
        "base": "elsewhere",
        "parents": [{"stage": "base", "run": "x", "content_hash": "ab"}],
    }
    lineage = {**LINEAGE, "base": "b", "base_lineage": step, "adapter": {"method": "dora", "rank": 8}}
    (source / "psyllm.json").write_text(json.dumps(card | {"lineage": lineage}))
    export(source, tmp_path / "out", "safetensors", "int8")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "by an adapter (dora, rank 8)" in text
    assert "`model-2`" in text
    assert "`elsewhere`, which says nothing of itself" in text
    assert "unknown" in text


def test_a_model_of_which_nothing_is_known_says_so(tmp_path):
    write_base(tmp_path / "source", "qwen3")
    export(tmp_path / "source", tmp_path / "out", "safetensors", "fp16")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "says nothing of itself" in text
    assert "a person must clear it" in text
    assert not (tmp_path / "out" / "psyllm.json").exists()
    load_base(tmp_path / "out")


def test_an_ended_agreement_keeps_a_model_in(source, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_today", lambda: dt.date(2099, 7, 1))
    with pytest.raises(MissingStage, match="ended on 2099-06-30"):
        export(source, tmp_path / "out", "safetensors", "fp32")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("form", "dtype"), [("safetensors", "q8_0"), ("gguf", "int8"), ("onnx", "fp32")])
def test_an_unknown_form_is_refused_with_those_there_are(form, dtype, source, tmp_path):
    with pytest.raises(BadInput, match="there is no form") as caught:
        export(source, tmp_path / "out", form, dtype)
    assert "safetensors: fp32, bf16, fp16, int8; gguf: fp32, fp16, bf16, q8_0" in caught.value.next_step


def test_nothing_is_written_over_and_a_failure_leaves_nothing(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(BadInput, match="not empty"):
        export(source, tmp_path / "out", "safetensors", "fp32")
    (tmp_path / "out" / "mine").unlink()
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(BadCheckpoint):
        export(source, tmp_path / "out", "safetensors", "fp32")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert not list((tmp_path / "out").iterdir())


def test_a_disk_without_room_is_told_first(source, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DiskFull, match="no room for"):
        export(source, tmp_path / "out", "safetensors", "fp32")


@pytest.mark.parametrize(
    ("form", "dtype"), [("safetensors", "fp32"), ("safetensors", "int8"), ("gguf", "fp32")]
)
def test_a_disk_that_fills_while_it_is_written_leaves_nothing_and_is_told(form, dtype, source, tmp_path):
    with no_space(tmp_path, 20_000), pytest.raises(DiskFull, match="no space left") as caught:
        export(source, tmp_path / "out", form, dtype)
    assert "--out" in caught.value.next_step
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("form", ["safetensors", "gguf"])
def test_a_weight_beyond_fp16_is_refused(form, source, tmp_path):
    checkpoint = load(source)
    with torch.no_grad():
        checkpoint.model.get_input_embeddings().weight[3, 3] = 70_000.0
    save(source, checkpoint.model, checkpoint.tokenizer, context_tokens=64)
    with pytest.raises(BadCheckpoint, match="fp16 can't hold") as caught:
        export(source, tmp_path / "out", form, "fp16")
    assert "bf16" in caught.value.next_step
    export(source, tmp_path / "out", form, "bf16")


def test_licences_stand_in_one_line_and_what_is_not_said_is_unknown():
    row = {"source": "a", "licence": "MIT"}
    assert (
        licences(Permit("any", share_alike=False, expires="", sources=[row, {"source": "b"}]))
        == "MIT AND unknown"
    )
    assert licences(Permit("any", share_alike=False, expires="", sources=[row])) == "MIT"
    assert licences(Permit("unknown", share_alike=False, expires="", sources=[])) == "unknown"


def test_an_untied_head_comes_through_every_size(tmp_path):
    write_base(tmp_path / "source", "llama", tied=False)
    said = load_weights(tmp_path / "source").state_dict()["lm_head.weight"]
    for dtype in ("bf16", "int8"):
        export(tmp_path / "source", tmp_path / dtype, "safetensors", dtype)
        head = load_weights(tmp_path / dtype).state_dict()["lm_head.weight"]
        assert (head - said).abs().max() < 0.01 * said.abs().max()
    assert shaped("llama", 8, tied=False).config.tie_word_embeddings is False


def test_a_card_says_that_a_sources_own_licence_is_not_the_whole_chain():
    from psyllm.core.permits import Permit
    from psyllm.lm.export_card import Told, card_text

    row = {"source": "SmileChat-part", "licence": "CC0-1.0", "uses": "any", "expires": "", "agreement": ""}
    permit = Permit("any", share_alike=False, expires="", sources=[row, {**row, "source": "own"}])
    card = card_text(Told("model-1", "safetensors", "int8", {}, permit))
    assert card.count("**Not cleared:**") == 1
    assert "a person must clear this chain" in card.split("SmileChat-part")[1].split("own")[0]


def test_a_fetched_model_leaves_under_its_own_licence(tmp_path):
    write_base(tmp_path / "qwen3", "qwen3")
    said = {"repository": "a/b", "revision": "c0ffee", "licence": "cc-by-nc-4.0", "files": {}}
    (tmp_path / "qwen3" / "fetched.json").write_text(json.dumps(said))
    export(tmp_path / "qwen3", tmp_path / "out", "safetensors", "fp16")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "non-commercial use only" in text
    assert "Source `base qwen3`: cc-by-nc-4.0, non_commercial." in text
