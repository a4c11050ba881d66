"""A run that is killed at any moments, also while it writes a checkpoint, ends in the bytes of an undisturbed one."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lm.small import foreign_base


@pytest.mark.timeout(900)  # a dozen processes, on a machine that may have other work
@pytest.mark.parametrize(("start", "kills"), [("nothing", 4), ("a base with dropout", 10)])
def test_kills_at_random_moments_of_both_stages_change_no_byte(start, kills, data, settings, tmp_path):
    seed = int(os.environ.get("PSYLLM_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    sys.stdout.write(f"PSYLLM_KILL_SEED={seed}\n")
    if start != "nothing":
        foreign_base(tmp_path / "gpt2")
        assert json.loads((tmp_path / "gpt2" / "config.json").read_text())["resid_pdrop"] == 0.1
        settings = settings.model_copy(update={"base": tmp_path / "gpt2"})
    program = Path(__file__).with_name("killing.py")
    command = [sys.executable, str(program), settings.model_dump_json(), str(data), str(seed), str(kills)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(said.splitlines()[-1])
    sys.stdout.write(f"{result['kills']} kills, {len(result['runs']) - 1} disturbed runs\n")
    undisturbed, *disturbed = result["runs"]
    assert result["kills"] >= kills
    assert disturbed
    for files in disturbed:
        assert files == undisturbed
    assert any(name.startswith("answer/last/") for name in undisturbed)
