"""Several processes by the command line and by Slurm's template: one error, bounded ends, going on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import distributed

from psyllm.core.errors import BadSetting, WorkerLost
from psyllm.core.settings import load_settings
from psyllm.lm.checkpoint import load
from psyllm.train import launch, saved
from psyllm.train.processes import joined
from psyllm.train.run import run
from train.conftest import make_corpus, question
from train.teams import PATIENCE_S, TESTS, ended, ended_by_force, environments, start

BATCH = TESTS.parent / "deploy" / "slurm" / "train.sbatch"
LONG = 40
SETTINGS = f"""
[train]
threads = 1
precision = "fp32"
processes = "ddp"
wait_s = 60
model = {{layers = 1, width = 16, heads = 1, vocabulary = 300, context_tokens = 64}}
adapt = {{steps = {LONG}, batch_rows = 2, evaluate_every_steps = 4, most_dev_rows = 3, patience = {LONG}}}
answer = {{steps = 4, batch_rows = 2, evaluate_every_steps = 2, most_dev_rows = 3}}
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text(SETTINGS)
    return file


def command(data, config, *more):
    return ["-m", "psyllm.cli", "train", "--data", str(data), "--config", str(config), *more]


def until_saved(data):
    """Wait for the first whole checkpoint of the long stage."""
    until = time.monotonic() + PATIENCE_S
    while not list((data / "4_models").glob(f"*/adapt/checkpoint-*/{saved.WHOLE}")):
        assert time.monotonic() < until, "no checkpoint was written"
        time.sleep(0.02)


def losses(data):
    (folder,) = (path for path in (data / "4_models").iterdir() if path.is_dir())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line.get("loss", line.get("dev_loss")) for line in lines]


def test_several_processes_that_are_not_told_how_to_share_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadSetting, match="2 processes were started") as caught, joined("one", 5):
        pass
    assert "train.processes=ddp" in caught.value.next_step


def test_a_group_of_one_hides_the_starters_variables_while_it_works(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "4")
    with joined("fsdp", 5) as team:
        assert (team.count, team.is_first, distributed.is_initialized()) == (1, True, True)
        assert "PMI_SIZE" not in os.environ
    assert os.environ["PMI_SIZE"] == "4"


def test_the_launcher_tells_a_killed_process_and_is_silent_where_one_has_spoken():
    killed = launch._told({0: launch.QUIET_FAILURE, 1: -9})
    assert isinstance(killed, WorkerLost)
    assert "process 1 of this training was killed by signal 9" in killed.message
    for status in (launch.QUIET_FAILURE, launch.STOPPED):
        told = launch._told({0: status, 1: status})
        assert isinstance(told, SystemExit)
        assert told.code == status


def test_an_error_of_all_is_told_once(tmp_path, config):
    data = tmp_path / "data"
    make_corpus(data, [question(1, may_train=False)], [])
    environment = {**environments(1)[0]}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        del environment[name]
    done = subprocess.run(
        [sys.executable, *command(data, config, "--processes", "2")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == launch.QUIET_FAILURE
    assert done.stderr.count("error PSY-201") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_killed_process_ends_all_in_time_and_one_alone_goes_on(data, config):
    processes = start(command(data, config), 2)
    until_saved(data)
    processes[1].send_signal(signal.SIGKILL)
    killed, dead = ended(processes)
    assert (killed.status, dead.status) == (2, -signal.SIGKILL), killed.err
    assert "goes on from the last checkpoint" in killed.err
    assert killed.err.count("error PSY-204") == 1
    assert not list((data / "4_models").glob("*/manifest.json"))
    assert run(load_settings(config=config).train, data).counts["adapt_steps"] == LONG
    load(next((data / "4_models").glob("*/model")))


HANGING = """
import os, signal, sys, time
from psyllm.core.errors import WorkerLost
from psyllm.train.processes import joined

try:
    with joined("ddp", 4) as team:
        team.wait()
        print("together", flush=True)
        if not team.is_first:
            os.kill(os.getpid(), signal.SIGSTOP)
        began = time.monotonic()
        team.wait()
except WorkerLost as error:
    print(round(time.monotonic() - began), error.message, flush=True)
    os._exit(3)
"""


def test_a_process_that_hangs_is_waited_for_no_longer_than_asked():
    processes = start(["-c", HANGING], 2)
    (waited,) = ended(processes[:1])
    ended_by_force(processes[1:])
    assert waited.status == 3, waited.err
    first, last = waited.out.splitlines()
    assert first == "together"
    seconds, _, said = last.partition(" ")
    assert said == "another of the 2 processes of this training ended or does not answer"
    assert 3 <= int(seconds) <= 60  # the machine may be busy


FAKE_SRUN = """#!/usr/bin/env bash
# one task a machine, all of them here
while [[ "$1" == --* ]]; do shift; done
for ((machine = 0; machine < SLURM_NNODES; machine++)); do "$@" & tasks+=($!); done
status=0
for task in "${tasks[@]}"; do wait "$task" || status=$?; done
exit "$status"
"""
FAKE_SCONTROL = """#!/usr/bin/env bash
if [[ "$1" == show ]]; then echo localhost; else echo "$@" >> "$SCONTROL_LOG"; fi
"""


def fake_slurm(folder: Path) -> dict[str, str]:
    """Return the environment of a job on two machines that are both this one."""
    folder.mkdir()
    for name, text in (("srun", FAKE_SRUN), ("scontrol", FAKE_SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    environment = {name: value for name, value in environments(1)[0].items() if "RANK" not in name}
    return {
        **environment,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SCONTROL_LOG": str(folder / "said"),
        "SLURM_JOB_ID": str(1000 + os.getpid() % 9000),
        "SLURM_JOB_NODELIST": "here[1-2]",
        "SLURM_NNODES": "2",
        "LOCAL_ADDR": "127.0.0.1",
        "PSYLLM_PYTHON": sys.executable,
    }


def test_the_slurm_template_saves_when_its_time_ends_and_goes_on(data, config, tmp_path):
    """Two torchruns that meet on this machine stand for two machines."""
    environment = {**fake_slurm(tmp_path / "bin"), "DATA": str(data), "CONFIG": str(config)}
    assert subprocess.run(["bash", "-n", str(BATCH)], check=False).returncode == 0

    def batch():
        return subprocess.Popen(
            ["bash", str(BATCH)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    job = batch()
    until_saved(data)
    job.send_signal(signal.SIGUSR1)
    (stopped,) = ended([job])
    assert stopped.status == 0, stopped.err
    assert stopped.err.count("stopped; what was complete is kept") == 1
    assert Path(environment["SCONTROL_LOG"]).read_text() == f"requeue {environment['SLURM_JOB_ID']}\n"
    assert not list((data / "4_models").glob("*/manifest.json"))
    environment.update(SLURM_NNODES="1", PROCESSES_PER_NODE="1")  # half of the machines are gone
    (done,) = ended([batch()])
    assert done.status == 0, done.err
    assert done.out.count("train_records 20") == 1
    whole = tmp_path / "whole"
    shutil.copytree(data / "3_corpus", whole / "3_corpus")
    run(load_settings(config=config).train, whole)
    assert losses(data) == pytest.approx(losses(whole), abs=2e-5)
