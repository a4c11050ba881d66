"""Whether a training fits is told from its settings; the advice is tried before it is given."""

import json

import pytest

from lm.small import foreign_base
from psyllm.core.errors import BadCheckpoint, BadSetting, MissingFile
from psyllm.core.settings import load_settings
from psyllm.core.train_settings import TrainSettings
from psyllm.lm.cards import CARDS, Card, card_named
from psyllm.lm.memory import GIB
from psyllm.lm.model_shape import shape_of
from psyllm.train import planning
from psyllm.train.planning import check_memory, find_card, new_shape, plan, processor, read_shape
from psyllm.train.processes import Place, Team

QWEN = {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}


def small_machine(gib):
    return Card("a small machine", int(gib * GIB), "cpu", has_bf16=False)


def some_settings(*overrides):
    return load_settings(preset="laptop", overrides=[f"train.{one}" for one in overrides]).train


def follow(settings, changes):
    words = [f"train.{name}={planning._spell(value)}" for name, value in changes.items()]
    tree = {"train": settings.model_dump(mode="json", exclude_none=True)}
    assert tree["train"]  # the advice is typed on the command line: it must be read there
    load_settings(preset="laptop", overrides=words)
    return planning._with(settings, changes)


def test_the_new_model_s_shape_is_the_one_that_is_built():
    from psyllm.lm.checkpoint import build
    from psyllm.lm.tokenizer import train_tokenizer

    settings = some_settings("model.vocabulary=300", "model.width=64", "model.heads=2")
    tokenizer = train_tokenizer(["一二三四五六七八九十"], 300)
    model = build(settings.model, tokenizer, seed=1)
    shape = new_shape(settings)
    built = shape_of(model.config.to_dict())
    assert built == shape.__class__(**{**shape.__dict__, "vocabulary": tokenizer.size})
    assert built.weights().total == sum(weight.numel() for weight in model.parameters())


def test_a_small_model_fits_and_every_stage_is_told():
    forecast = plan(some_settings(), small_machine(8), new_shape(some_settings()))
    assert forecast.fits
    assert [one.stage for one in forecast.stages] == ["adapt", "answer"]
    assert forecast.changes == {}
    assert not forecast.is_tight


def test_a_stage_that_is_left_out_is_not_planned():
    settings = some_settings("adapt.steps=0")
    assert [one.stage for one in plan(settings, small_machine(8), new_shape(settings)).stages] == ["answer"]


@pytest.mark.parametrize("gib", [1.1, 1.3, 1.6, 2.0, 3.0])
def test_the_advice_makes_it_fit_and_what_changes_no_result_is_advised_first(gib):
    settings = some_settings("answer.batch_rows=64", "adapt.batch_rows=64")
    card, shape = small_machine(gib), new_shape(settings)
    forecast = plan(settings, card, shape)
    assert not forecast.fits
    assert forecast.changes
    changed = follow(settings, forecast.changes)
    assert plan(changed, card, shape).fits
    assert "answer.rows_at_once" in forecast.changes
    assert all(name in forecast.advice for name in forecast.changes)


def test_no_more_is_given_up_than_is_needed():
    settings = some_settings("answer.batch_rows=64", "adapt.steps=0")
    shape = new_shape(settings)
    whole = plan(settings, small_machine(1000), shape).stages[0].need.planned
    forecast = plan(settings, small_machine(whole * 0.8 / GIB), shape)
    assert forecast.changes == {"answer.rows_at_once": 32}


def test_what_no_setting_mends_is_said():
    settings = some_settings("answer.batch_rows=2", "adapt.batch_rows=2")
    forecast = plan(settings, small_machine(0.72), new_shape(settings))
    assert forecast.changes is None
    assert "smaller model" in forecast.advice


def test_a_plan_close_to_the_limit_is_called_tight():
    settings = some_settings()
    shape = new_shape(settings)
    most = max(one.need.planned for one in plan(settings, small_machine(99), shape).stages)
    assert plan(settings, small_machine(1.05 * most / GIB), shape).is_tight


def test_fewer_rows_at_once_divide_the_step():
    settings = some_settings("answer.batch_rows=12", "adapt.steps=0")
    shape = new_shape(settings)
    whole = plan(settings, small_machine(99), shape).stages[0].need.planned
    forecast = plan(settings, small_machine(0.8 * whole / GIB), shape)
    assert 12 % forecast.changes["answer.rows_at_once"] == 0


def test_cards_know_bf16_and_a_v100_trains_in_fp16():
    settings = TrainSettings()
    assert plan(settings, card_named("v100  32"), shape_of(QWEN)).precision == "fp16"
    assert plan(settings, card_named("H200"), shape_of(QWEN)).precision == "bf16"
    assert (
        plan(settings.model_copy(update={"precision": "fp32"}), card_named("H200"), shape_of(QWEN)).precision
        == "fp32"
    )
    assert all(card_named(name).free_bytes < size * GIB for name, (size, _) in CARDS.items())


def test_an_unknown_card_names_those_that_are_known():
    with pytest.raises(BadSetting, match="no card named") as caught:
        find_card("Voodoo 3")
    assert "RTX 3060 12" in caught.value.next_step


def test_this_machine_can_be_planned_for():
    assert find_card("cpu").device == "cpu"
    assert find_card("auto").free_bytes > 0


def test_a_container_s_limit_counts_when_it_is_lower(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "CGROUP", tmp_path)
    free = processor().free_bytes
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert processor().free_bytes > free / 2
    (tmp_path / "memory.max").write_text("1000\n")
    assert processor().free_bytes == 900
    (tmp_path / "memory.stat").write_text("anon 70\ninactive_file 30\n")
    assert processor().free_bytes == 930


def test_a_base_is_read_from_its_config_alone(tmp_path):
    with pytest.raises(MissingFile):
        read_shape(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    assert read_shape(tmp_path).weights().total == 596_049_920  # as its page says: 0.6B
    for bad in ('{"model_type": "bert"}', "[1]", "not json"):
        (tmp_path / "config.json").write_text(bad)
        with pytest.raises((BadSetting, BadCheckpoint)):
            read_shape(tmp_path)


def test_a_training_that_can_not_fit_is_refused_at_its_start_or_only_warned_of(monkeypatch, caplog):
    monkeypatch.setattr(planning, "card_here", lambda: small_machine(0.001))
    settings = some_settings("answer.batch_rows=64")
    with pytest.raises(BadSetting, match="GiB") as caught:
        check_memory(settings, QWEN, "fp32")
    assert "psyllm train plan" in caught.value.next_step
    check_memory(settings.model_copy(update={"plan": "off"}), QWEN, "fp32")
    assert not caplog.records
    check_memory(settings.model_copy(update={"plan": "warn"}), QWEN, "fp32")
    assert "GiB" in caplog.text
    monkeypatch.setattr(planning, "card_here", lambda: small_machine(500))
    check_memory(settings, QWEN, "fp32")


def test_what_the_program_and_the_weights_hold_already_is_not_asked_for_again(monkeypatch):
    settings = some_settings("adapt.steps=0")
    need = plan(settings, small_machine(99), shape_of(QWEN)).stages[0].need
    held = need.context + 4 * shape_of(QWEN).weights().total
    monkeypatch.setattr(planning, "card_here", lambda: small_machine((need.planned - held + 1) / GIB))
    check_memory(settings, QWEN, "fp32")
    monkeypatch.setattr(planning, "card_here", lambda: small_machine((need.planned - held - 10**6) / GIB))
    with pytest.raises(BadSetting):
        check_memory(settings, QWEN, "fp32")


def test_a_refused_run_says_so_before_a_step_is_taken(data, settings, monkeypatch):
    from psyllm.train.run import run

    monkeypatch.setattr(planning, "card_here", lambda: small_machine(0.0))
    with pytest.raises(BadSetting, match="needs"):
        run(settings, data)
    assert not list(data.glob("4_models/**/metrics.jsonl"))


def test_a_foreign_base_s_config_is_understood(tmp_path):
    foreign_base(tmp_path)
    assert read_shape(tmp_path).family == "gpt2"


def preferring(*overrides):
    return some_settings("adapt.steps=0", "answer.steps=0", "prefer.steps=5", *overrides)


def test_learning_from_ratings_is_planned():
    settings = preferring("prefer.batch_rows=100000")
    forecast = plan(settings, small_machine(8), new_shape(settings))
    assert [(one.stage, one.rows) for one in forecast.stages] == [("prefer", 100_000)]
    assert not forecast.fits
    assert plan(preferring(), small_machine(8), new_shape(settings)).fits


def test_a_pair_takes_as_much_as_two_answers():
    both = some_settings("adapt.steps=0", "answer.batch_rows=16", "prefer.steps=5", "prefer.batch_rows=8")
    settings = both.model_copy(update={"loss": "chunked"})
    answer, prefer = plan(settings, small_machine(8), new_shape(settings)).stages
    assert prefer.row_tokens == settings.model.context_tokens
    assert prefer.need.planned == pytest.approx(answer.need.planned, rel=0.02)


def test_kto_keeps_one_answer_where_dpo_keeps_two():
    needs = {
        method: plan(
            preferring(f"prefer.method={method}"), small_machine(8), new_shape(some_settings())
        ).stages[0]
        for method in ("kto", "dpo", "auto")
    }
    assert needs["kto"].need.activations * 2 == pytest.approx(needs["dpo"].need.activations, rel=1e-3)
    assert needs["auto"] == needs["dpo"]


def test_a_process_needs_less_the_more_of_them_hold_a_sharded_model():
    card = card_named("H200")
    settings = some_settings("adapt.steps=0", "answer.batch_rows=8", "answer.rows_at_once=1")
    at_once = settings.model_copy(
        update={"answer": settings.answer.model_copy(update={"rows_at_once": 0, "batch_rows": 1})}
    )

    def need(settings, way, count):
        stage = settings.answer.model_copy(update={"batch_rows": settings.answer.batch_rows * count})
        shared = settings.model_copy(update={"processes": way, "answer": stage})
        forecast = plan(shared, card, shape_of(QWEN), processes=count)
        assert (forecast.processes, forecast.stages[0].rows) == (count, 1)
        return forecast.stages[0].need

    whole = need(at_once, "ddp", 2)
    assert whole == need(at_once, "ddp", 8)
    two, eight = (need(at_once, "fsdp", count) for count in (2, 8))
    assert eight.planned < two.planned < whole.planned
    assert eight.optimizer * 4 == pytest.approx(two.optimizer)
    assert (eight.activations, eight.logits) == (whole.activations, whole.logits)
    weights = shape_of(QWEN).weights()
    assert two.weights > 4 * (weights.total / 2 + weights.embeddings)  # the root is whole while it works
    # several parts of a step: the gradients are whole until the last one
    assert need(settings, "fsdp", 8).gradients > 4 * weights.total


def test_rows_are_shared_by_processes_and_the_advice_is_of_one():
    settings = some_settings("answer.batch_rows=64", "adapt.steps=0", "processes=ddp")
    shape = new_shape(settings)
    one = plan(settings, small_machine(99), shape).stages[0]
    of_four = plan(settings, small_machine(99), shape, processes=4).stages[0]
    assert (one.rows, of_four.rows) == (64, 16)
    forecast = plan(settings, small_machine(0.8 * of_four.need.planned / GIB), shape, processes=4)
    assert forecast.changes == {"answer.rows_at_once": 8}


def test_a_run_in_shards_is_refused_too(monkeypatch):
    monkeypatch.setattr(planning, "card_here", lambda: small_machine(0.001))
    with pytest.raises(BadSetting, match="GiB"):
        check_memory(some_settings("processes=fsdp"), QWEN, "fp32", Team(Place(0, 2, 0, 2)))


def test_the_advice_makes_preferring_fit_and_never_leaves_an_answer_alone():
    settings = preferring("prefer.batch_rows=32")
    shape = new_shape(settings)
    whole = plan(settings, small_machine(1000), shape).stages[0].need.planned
    for share in (0.9, 0.7, 0.5, 0.4):
        card = small_machine(whole * share / GIB)
        forecast = plan(settings, card, shape)
        assert forecast.changes
        changed = follow(settings, forecast.changes)
        assert plan(changed, card, shape).fits
        assert (changed.prefer.rows_at_once or 32) >= 2
    assert planning._part(settings.prefer, 2, 2) == 2
