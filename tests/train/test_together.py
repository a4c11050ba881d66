"""Two processes train what one trains: in copies and in shards, stopped early, broken off, gone on by more or fewer."""

import math
import shutil
from pathlib import Path

import pytest
from torch import nn

from psyllm.core.errors import BadSetting
from psyllm.train import saved
from psyllm.train.adapters import ADAPTER_WEIGHTS
from psyllm.train.processes import ALONE
from psyllm.train.sharded import METADATA, Learner, check_spread
from train.teams import FAMILIES, Task, train, trained

WAYS = ("ddp", "fsdp")
STAGE = {
    "steps": 8,
    "batch_rows": 6,
    "rows_at_once": 1,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "evaluate_every_steps": 2,
    "patience": 9,
}
# What a case shows it shows in few steps; nobody goes on from their checkpoints, and `plain` accumulates.
SHORT = {**STAGE, "steps": 4, "rows_at_once": 0, "evaluate_every_steps": 4}
RISING = {**STAGE, "steps": 30, "learning_rate": 5e-2, "patience": 2}
CASES = {
    "plain": {"stage": STAGE},
    "early": {"stage": RISING, "learns_dev": False},
    "checkpointing": {"stage": SHORT, "checkpointing": True},
    "bf16": {"stage": {**SHORT, "rows_at_once": 1}, "precision": "bf16"},
    "dropout": {"stage": {**SHORT, "steps": 6, "evaluate_every_steps": 2}, "dropout": 0.2},
    "chunked": {"stage": SHORT, "loss": "chunked"},
    "muon": {"stage": {**SHORT, "optimizer": "muon"}},
    "adapter": {"stage": SHORT, "is_adapted": True},
    "skipping": {
        "stage": {**SHORT, "rows_at_once": 1, "evaluate_every_steps": 2},
        "precision": "fp16",
        "scale": 2.0**24,
    },
}
DONE = [
    *((family, way, case) for family in FAMILIES for way in WAYS for case in ("plain", "early")),
    *((family, "fsdp", case) for family in FAMILIES for case in ("checkpointing", "bf16")),
    *(("gpt2", way, "dropout") for way in WAYS),
    *(("llama", way, case) for way in WAYS for case in ("chunked", "skipping")),
    *(("llama", "ddp", case) for case in ("muon", "adapter")),
]
ALONE_TOO = [
    *((family, case) for family in FAMILIES for case in ("plain", "early", "checkpointing", "bf16")),
    *(("llama", case) for case in ("chunked", "skipping", "muon", "adapter")),
]
EXACT = {"plain", "early", "checkpointing", "chunked", "muon", "adapter"}


def tasks_in(folder: Path) -> list[Task]:
    return [
        Task(family, way, str(folder / f"{family}-{way}-{case}"), **CASES[case]) for family, way, case in DONE
    ]


@pytest.fixture(scope="session")
def by_two(tmp_path_factory):
    """What two processes made of every case, by the name of its folder."""
    folder = tmp_path_factory.mktemp("two")
    tasks = tasks_in(folder)
    return folder, {Path(task.folder).name: done for task, done in zip(tasks, trained(tasks, 2), strict=True)}


@pytest.fixture(scope="session")
def by_one(tmp_path_factory):
    """What one process makes of the same, unwrapped."""
    folder = tmp_path_factory.mktemp("one")
    done = {}
    for family, case in ALONE_TOO:
        task = Task(family, "one", str(folder / f"{family}-{case}"), **CASES[case])
        done[f"{family}-{case}"] = train(task, ALONE)
    return done


def differ(one, other):
    """Return by how much two trainings differ at most: losses, weights.

    But for GPT-2's biases of keys, the middle third of three: a softmax over keys does not see them, so their
    gradient is rounding alone, of which AdamW makes whole steps.
    """
    assert [sorted(line) for line in one["logged"]] == [sorted(line) for line in other["logged"]]
    losses = max(
        abs(line[name] - like[name])
        for line, like in zip(one["logged"], other["logged"], strict=True)
        for name in line
        if name != "grad_norm"
    )
    weights = max(
        abs(value - like)
        for name, values in one["weights"].items()
        for number, (value, like) in enumerate(zip(values, other["weights"][name], strict=True))
        if not (name.endswith("c_attn.bias") and len(values) <= 3 * number < 2 * len(values))
    )
    return losses, weights


@pytest.mark.parametrize(("family", "way", "case"), [done for done in DONE if done[2] in EXACT])
def test_two_processes_take_the_steps_of_one(family, way, case, by_one, by_two):
    one, two = by_one[f"{family}-{case}"], by_two[1][f"{family}-{way}-{case}"]
    assert (one["steps"], one["best"]) == (two["steps"], two["best"])
    losses, weights = differ(one, two)
    assert losses < 1e-6
    assert weights < 1e-5
    planned = CASES[case]["stage"]["steps"]
    assert (one["steps"] < planned) if case == "early" else (one["steps"] == planned)


@pytest.mark.parametrize("family", FAMILIES)
def test_shards_in_bf16_stay_as_near_as_its_digits(family, by_one, by_two):
    losses, _ = differ(by_one[f"{family}-bf16"], by_two[1][f"{family}-fsdp-bf16"])
    assert losses < 2e-2  # bf16 holds 8 bits of a loss near 4


@pytest.mark.parametrize("way", WAYS)
def test_in_fp16_all_processes_skip_the_same_steps(way, by_one, by_two):
    one, two = by_one["llama-skipping"], by_two[1][f"llama-{way}-skipping"]
    skipped = [line["step"] for line in two["logged"] if not math.isfinite(line.get("grad_norm", 0))]
    assert skipped
    assert skipped == [line["step"] for line in one["logged"] if not math.isfinite(line.get("grad_norm", 0))]
    losses, _ = differ(one, two)
    assert losses < 2e-2


def test_an_adapter_is_trained_and_kept_alone_in_copies_of_its_base(by_two):
    names = {path.name for path in saved.folder_of(by_two[0] / "llama-ddp-adapter", 4).iterdir()}
    assert ADAPTER_WEIGHTS in names
    assert "model.safetensors" not in names


@pytest.mark.parametrize("way", WAYS)
def test_a_checkpoint_lies_in_shards_only_where_the_model_does(way, by_two):
    names = {path.name for path in saved.folder_of(by_two[0] / f"llama-{way}-plain", 8).iterdir()}
    assert (METADATA in names) == (way == "fsdp")
    assert ({"__0_0.distcp", "__1_0.distcp"} <= names) == (way == "fsdp")
    assert ("model.safetensors" in names) == (way == "ddp")


def broken_off_at(step: int, source: Path, target: Path) -> str:
    """Copy a training's folder as it was after a step's checkpoint."""
    shutil.copytree(source, target)
    for later in saved.whole_steps(target):
        if later > step:
            shutil.rmtree(saved.folder_of(target, later))
    return str(target)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_processes_goes_on_from_a_checkpoint_of_two(count, by_two, tmp_path):
    folder, whole = by_two
    names = [f"{family}-{way}-plain" for family in FAMILIES for way in WAYS]
    tasks = [
        Task(*name.split("-")[:2], broken_off_at(4, folder / name, tmp_path / name), STAGE) for name in names
    ]
    for name, again in zip(names, trained(tasks, count), strict=True):
        losses, weights = differ(whole[name], again)
        assert losses < 1e-6
        assert weights < 1e-5
        if count == 2:
            assert again == whole[name]


def test_with_dropout_the_same_number_of_processes_goes_on_bit_by_bit(by_two, tmp_path):
    folder, whole = by_two
    names = [f"gpt2-{way}-dropout" for way in WAYS]
    tasks = [
        Task("gpt2", way, broken_off_at(4, folder / name, tmp_path / name), **CASES["dropout"])
        for way, name in zip(WAYS, names, strict=True)
    ]
    for name, again in zip(names, trained(tasks, 2), strict=True):
        assert again == whole[name]


def test_a_torn_shard_is_never_resumed(by_two, tmp_path):
    folder = tmp_path / "torn"
    broken_off_at(6, by_two[0] / "llama-fsdp-plain", folder)
    shard = saved.folder_of(folder, 6) / "__1_0.distcp"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert saved.whole_steps(folder) == [2, 4]
    (saved.folder_of(folder, 4) / saved.WHOLE).unlink()
    saved.drop_torn(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2"]


def test_what_is_spread_otherwise_than_asked_for_is_refused():
    learner = Learner(nn.Linear(2, 2), lambda model, batch: model(batch))
    check_spread(learner, "one")
    for way in WAYS:
        with pytest.raises(
            BadSetting, match=f"train.processes={way} was asked for, and Learner is spread as one"
        ):
            check_spread(learner, way)
