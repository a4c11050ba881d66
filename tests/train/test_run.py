"""The door of training: the same bytes each time, over kills, from any base."""

import json
import shutil
from pathlib import Path

import pytest

from hardship import no_space, scarce_disk
from lm.small import foreign_base
from lm.small_bases import write_base
from psyllm.core.errors import (
    BadCheckpoint,
    BadSetting,
    DiskFull,
    EmptyCorpus,
    MissingFile,
    MissingStage,
    TokenizerMismatch,
)
from psyllm.core.permits import permit_of_model
from psyllm.core.progress import listening
from psyllm.core.stages import Stage, need_current, read_manifest
from psyllm.core.train_settings import Adapter
from psyllm.lm.checkpoint import load
from psyllm.lm.model_card import read_card
from psyllm.lm.template import END, PAD
from psyllm.train import saved
from psyllm.train.adapters import leave
from psyllm.train.run import run
from train.conftest import dialogue, document, make_corpus, question


def model_folder(data):
    return data / "4_models" / (data / "4_models" / "current").read_text().strip()


def changed(settings, **stages):
    update = {
        name: getattr(settings, name).model_copy(update=values) if isinstance(values, dict) else values
        for name, values in stages.items()
    }
    return settings.model_copy(update=update)


class Stopped(Exception):
    """Stands for a process that ends here."""


def permitted(data, **said):
    """Change what the manifest of the corpus says that it permits."""
    folder, manifest = need_current(data, Stage.CORPUS)
    details = {"permit": {**manifest.details["permit"], **said}}
    (folder / "manifest.json").write_text(manifest.model_copy(update={"details": details}).model_dump_json())


def stop_at(stage, step):
    def listener(progress):
        if progress.task == f"training: {stage}" and progress.done == step:
            raise Stopped

    return listening(listener)


def manifest_of(data):
    return need_current(data, Stage.MODELS)[1]


def test_a_run_leaves_a_model_that_answers_and_its_losses(trained, settings):
    manifest, folder = manifest_of(trained), model_folder(trained)
    checkpoint = load(folder / "model")
    assert checkpoint.context_tokens == settings.model.context_tokens
    assert checkpoint.card.lineage["run"] == manifest.run
    assert checkpoint.tokenizer.mark(PAD) != checkpoint.tokenizer.mark(END)
    assert load(folder / "adapt" / "model").tokenizer.size == checkpoint.tokenizer.size
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {(line["stage"], "dev_loss" in line) for line in lines} == {
        (stage, dev) for stage in ("adapt", "answer") for dev in (True, False)
    }
    assert (manifest.details["threads"], manifest.details["precision"]) == (1, "fp32")
    assert manifest.counts["train_records"] == 20
    assert manifest.counts["adapt_steps"] == 12
    assert {path.parent for path in folder.rglob("checkpoint-*")} == {folder / "answer" / "last"}
    assert not (folder / "rows").exists()


def test_the_same_run_gives_the_same_bytes_and_another_seed_does_not(data, settings, trained):
    first = manifest_of(trained)
    again = run(settings, data)
    assert again.files == first.files
    assert again.content_hash == first.content_hash
    other = run(settings.model_copy(update={"seed": 8}), data)
    assert other.files["model/model.safetensors"] != first.files["model/model.safetensors"]


def test_a_complete_run_is_not_done_again(trained, settings):
    seen = []
    with listening(seen.append):
        assert run(settings, trained) == manifest_of(trained)
    assert not seen


def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(data, settings, trained, tmp_path):
    expected = manifest_of(trained)
    with scarce_disk(tmp_path / "small") as small:
        shutil.copytree(data / "3_corpus", small / "3_corpus")
        with no_space(small, 100_000), pytest.raises(DiskFull) as caught:
            run(settings, small)
        assert "free some space" in caught.value.next_step
        assert "train.keep_checkpoints=1" in caught.value.next_step
        thrifty = settings.model_copy(update={"keep_checkpoints": 1})  # goes on with the same run
        finished = run(thrifty, small)
        model = "model/model.safetensors"
        assert finished.files[model] == expected.files[model]
        assert finished.run == expected.run


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_disk_that_fills_at_the_last_write_is_told_too(method, data, settings, tmp_path, monkeypatch):
    asked = changed(settings, adapt={"steps": 0}, answer={"steps": 1})
    if method == "lora":
        write_base(tmp_path / "base", "llama")
        asked = asked.model_copy(update={"base": tmp_path / "base", "adapter": Adapter(method="lora")})

    def leave_on_a_full_disk(*given, **named):
        with no_space(data, 2_000):
            leave(*given, **named)

    monkeypatch.setattr("psyllm.train.stages.leave", leave_on_a_full_disk)
    with pytest.raises(DiskFull, match="no space left"):
        run(asked, data)


def test_an_interrupted_run_goes_on_with_the_threads_it_began_with(data, settings, monkeypatch):
    all_cores = changed(settings, threads=0, adapt={"steps": 8}, answer={"steps": 0})
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with stop_at("adapt", 6), pytest.raises(Stopped):
        run(all_cores, data)
    (folder,) = (data / "4_models").glob("model-*")
    assert saved.whole_steps(folder / "adapt") == [4]
    assert read_manifest(folder) is None
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert run(all_cores, data).details["threads"] == 1


def test_a_dev_split_without_answers_is_refused_before_time_is_spent_unless_all_steps_are_wanted(
    data, settings
):
    make_corpus(data, [question(n) for n in range(12)], [document(100)])
    seen = []
    with listening(seen.append), pytest.raises(EmptyCorpus, match="dev split") as caught:
        run(settings, data)
    assert "train.answer.patience=0" in caught.value.next_step
    assert not any(progress.task.startswith("training") for progress in seen)
    manifest = run(changed(settings, adapt={"steps": 0}, answer={"patience": 0, "steps": 4}), data)
    assert manifest.details["stages"]["answer"]["best_step"] == 4


def test_a_corpus_without_answers_is_refused_before_the_adapt_stage(data, settings):
    make_corpus(data, [document(n) for n in range(5)], [question(100)])
    seen = []
    with listening(seen.append), pytest.raises(EmptyCorpus, match="no answers"):
        run(settings, data)
    assert not any(progress.task.startswith("training") for progress in seen)


def test_the_precision_is_chosen_by_the_processor_and_written_down(data, settings):
    automatic = changed(settings, precision="auto", adapt={"steps": 2}, answer={"steps": 2})
    has_bf16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    assert run(automatic, data).details["precision"] == ("bf16" if has_bf16 else "fp32")


def test_bf16_gives_the_same_bytes_twice(data, settings):
    short = changed(settings, precision="bf16", adapt={"steps": 2}, answer={"steps": 2})
    first = run(short, data)
    shutil.rmtree(data / "4_models")
    assert run(short, data).files == first.files


def test_a_stage_of_no_steps_is_left_out(data, settings):
    manifest = run(changed(settings, adapt={"steps": 0}, answer={"steps": 2}), data)
    assert set(manifest.details["stages"]) == {"answer"}
    manifest = run(changed(settings, adapt={"steps": 2}, answer={"steps": 0}), data)
    assert set(manifest.details["stages"]) == {"adapt"}
    folder = model_folder(data)
    assert manifest.files["model/model.safetensors"] == manifest.files["adapt/model/model.safetensors"]
    load(folder / "model")


def test_the_end_of_an_answer_is_learnt(data, settings):
    """After training, <|end|> after an answer is far likelier than by chance."""
    from psyllm.lm.score import score
    from psyllm.lm.template import record_messages

    # one sentence is every answer, so the end is easy to see
    alike = [question(number).model_copy(update={"answers": question(1).answers}) for number in range(12)]
    make_corpus(data, alike, [])
    run(changed(settings, adapt={"steps": 0}, answer={"steps": 60, "patience": 0}), data)
    folder = model_folder(data) / "model"
    (messages,) = record_messages(alike[0])
    whole, *_ = score(folder, [messages], threads=1)
    checkpoint = load(folder)
    import torch

    ids = [
        2,
        *checkpoint.tokenizer.encode(messages[0].text),
        3,
        *checkpoint.tokenizer.encode(messages[1].text),
    ]
    with torch.no_grad():
        shares = checkpoint.model(torch.tensor([ids[-96:]]), use_cache=False).logits[0, -1].softmax(-1)
    assert shares[checkpoint.tokenizer.mark(END)] > 0.5
    assert whole.nll_nats / whole.tokens < 3


def test_records_that_may_not_be_trained_on_change_nothing(data, settings, trained):
    first = manifest_of(trained)
    train = [question(n) for n in range(12)] + [dialogue(n) for n in range(4)]
    train += [document(n) for n in range(4)]
    dev = [question(n) for n in range(100, 104)] + [document(100)]
    barred = [question(n, may_train=False) for n in range(50, 60)]
    make_corpus(data, [*train, *barred], [*dev, *barred])
    second = run(settings, data)
    assert second.drops == {"may_not_train": 20}
    assert second.files["metrics.jsonl"] == first.files["metrics.jsonl"]
    assert second.files["model/model.safetensors"] == first.files["model/model.safetensors"]


def test_a_corpus_without_training_records_is_refused(data, settings):
    make_corpus(data, [question(1, may_train=False)], [])
    with pytest.raises(EmptyCorpus, match="no training record"):
        run(settings, data)


def test_a_corpus_of_documents_alone_needs_no_answer_stage(data, settings):
    make_corpus(data, [document(n) for n in range(5)], [])
    with pytest.raises(EmptyCorpus) as caught:
        run(settings, data)
    assert "train.answer.steps=0" in caught.value.next_step
    run(changed(settings, adapt={"patience": 0, "steps": 2}, answer={"steps": 0}), data)


def test_no_corpus_is_refused(tmp_path, settings):
    with pytest.raises(MissingStage):
        run(settings, tmp_path)


def test_rows_at_once_must_divide_a_steps_rows(data, settings):
    with pytest.raises(BadSetting, match="does not divide"):
        run(changed(settings, answer={"batch_rows": 4, "rows_at_once": 3}), data)


def test_a_corpus_whose_agreement_has_ended_is_not_trained_on(data, settings):
    permitted(data, expires="2026-01-01")
    with pytest.raises(MissingStage, match="agreement ended on 2026-01-01") as caught:
        run(settings, data)
    assert "psyllm corpus" in caught.value.next_step


def test_a_model_that_is_there_already_is_refused_too_once_an_agreement_has_ended(trained, settings):
    assert run(settings, trained) == manifest_of(trained)
    permitted(trained, expires="2026-01-01")
    with pytest.raises(MissingStage, match="agreement ended on 2026-01-01"):
        run(settings, trained)


def test_the_terms_of_a_base_bind_what_is_trained_on_it_in_any_folder(data, settings, tmp_path):
    """The base of the base was trained on a bound corpus; the last corpus and the one before are free."""
    permitted(data, uses="research", expires="2099-06-30", share_alike=True)
    few = changed(settings, adapt={"steps": 0}, answer={"steps": 2})
    run(few, data)
    for name in ("first", "second"):
        base = shutil.copytree(model_folder(data) / "model", tmp_path / name)
        data = tmp_path / f"data of {name}"
        make_corpus(data, [question(n) for n in range(12)], [question(100)])
        permitted(data, uses="any", expires="", share_alike=False)
        manifest = run(changed(few, base=base), data)
    permit = manifest.details["lineage"]["permit"]
    assert (permit["uses"], permit["expires"], permit["share_alike"]) == ("research", "2099-06-30", True)
    assert read_card(model_folder(data) / "model").lineage["permit"] == permit
    assert permit_of_model(manifest)._asdict() == permit


def test_a_base_whose_agreement_has_ended_is_not_trained_on(data, settings, tmp_path):
    run(changed(settings, adapt={"steps": 0}, answer={"steps": 2}), data)
    base = shutil.copytree(model_folder(data) / "model", tmp_path / "base")
    card = json.loads((base / "psyllm.json").read_text())
    card["lineage"]["permit"]["expires"] = "2026-01-01"
    (base / "psyllm.json").write_text(json.dumps(card))
    with pytest.raises(MissingStage, match=r"the base .* agreement ended on 2026-01-01") as caught:
        run(changed(settings, base=base), data)
    assert "train.base" in caught.value.next_step


def test_a_foreign_base_is_trained_on_with_the_marks_added(data, settings, tmp_path):
    rows = foreign_base(tmp_path / "gpt2")
    based = changed(settings, base=tmp_path / "gpt2", adapt={"steps": 4}, answer={"steps": 4})
    manifest = run(based, data)
    checkpoint = load(model_folder(data) / "model")
    assert checkpoint.tokenizer.size == rows + 4
    assert checkpoint.model.config.model_type == "gpt2"
    assert checkpoint.context_tokens == 64  # the base has no more positions
    assert manifest.parents[1].run == "gpt2"
    assert checkpoint.card.lineage["base"] == "gpt2"
    assert manifest.details["lineage"]["base_lineage"] is None  # nothing is known, which is not nothing
    permit = manifest.details["lineage"]["permit"]
    assert (permit["uses"], permit["expires"]) == ("unknown", "2099-06-30")
    assert [row["source"] for row in permit["sources"]] == ["base gpt2"]


def test_an_own_model_can_be_the_base_and_a_changed_base_is_another_run(data, settings, trained, tmp_path):
    base = shutil.copytree(model_folder(trained) / "model", tmp_path / "base")
    based = changed(settings, base=base, adapt={"steps": 0}, answer={"steps": 2})
    first = run(based, data)
    said = read_card(base).lineage
    assert first.details["lineage"]["base_lineage"] == said
    assert [parent["stage"] for parent in said["parents"]] == ["3_corpus"]
    corpus = need_current(data, Stage.CORPUS)[1]
    assert first.details["lineage"]["permit"] == said["permit"] == corpus.details["permit"]
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config))
    assert run(based, data).run != first.run


def test_a_base_with_another_models_tokenizer_is_refused(data, settings, trained, tmp_path):
    foreign_base(tmp_path / "gpt2")
    shutil.copy(model_folder(trained) / "model" / "tokenizer.json", tmp_path / "gpt2" / "tokenizer.json")
    with pytest.raises(TokenizerMismatch) as caught:
        run(changed(settings, base=tmp_path / "gpt2"), data)
    assert caught.value.next_step


def test_a_base_that_is_not_there_or_empty_is_refused(data, settings, tmp_path):
    with pytest.raises(MissingFile, match="does not exist"):
        run(changed(settings, base=tmp_path / "none"), data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadCheckpoint):
        run(changed(settings, base=tmp_path / "empty"), data)
