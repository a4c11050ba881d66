"""A run that is killed at any moments, also while it writes a checkpoint, ends in the bytes of an undisturbed one."""

import json
import os
import random
import sys

import pytest

from lm.small import foreign_base
from lm.small_bases import write_base
from psyllm.core.train_settings import Adapter
from train.forked import Fork
from train.killing import kill_until_enough


def begun_with(start, settings, folder):
    """Return settings that start from nothing, from a base, or with an adapter on one."""
    if start == "nothing":
        return settings
    if start == "a base with dropout":
        foreign_base(folder)
        assert json.loads((folder / "config.json").read_text())["resid_pdrop"] == 0.1
        return settings.model_copy(update={"base": folder})
    write_base(folder, "gpt2")
    adapter = Adapter(method=start, rank=2, alpha=4, dropout=0.1)
    return settings.model_copy(update={"base": folder, "adapter": adapter})


@pytest.mark.timeout(1800)  # a dozen processes, on a machine that may have other work
@pytest.mark.parametrize(
    ("start", "of_each"), [("nothing", 2), ("a base with dropout", 5), ("lora", 1), ("dora", 1)]
)
def test_kills_at_random_moments_of_both_stages_change_no_byte(start, of_each, data, settings, tmp_path):
    seed = int(os.environ.get("PSYLLM_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    sys.stdout.write(f"PSYLLM_KILL_SEED={seed}\n")
    settings = begun_with(start, settings, tmp_path / "base")
    kills, (undisturbed, *disturbed) = Fork(kill_until_enough, settings, data, seed, of_each).result(1500)
    sys.stdout.write(f"{kills} kills, {len(disturbed)} disturbed runs\n")
    assert min(kills.values()) >= of_each
    assert disturbed
    for files in disturbed:
        assert files == undisturbed
    assert any(name.startswith("answer/last/") for name in undisturbed)
