"""The curves of a training on an MLflow server, or in a file of its own: a door to the network.

In: lines of `speed.jsonl`. Out: one MLflow run, which a resumed training goes on
with. Settings, metrics and fingerprints go out, nothing else: no text, no path,
no name of a person, machine or script, which MLflow's own `start_run` would add.
Needs the extra `mlflow`. `MLFLOW_TRACKING_URI` names the server; without it the
run goes into `mlflow.db` of the data folder.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psyllm.core.stages import EVENTS, StageRun, write_text_atomically
from psyllm.train.history import figures_of

EXPERIMENT = "psyllm"
KEPT_ID = "mlflow.json"
# Without it MLflow notes the working folder in its database, as the place of files that nobody logs here.
NO_PLACE = "mlflow-artifacts:/psyllm"
# A server that does not answer costs a training seconds, once; MLflow's own patience is many minutes.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


class MLflow:
    """Logs to one run."""

    def __init__(self, run: StageRun) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # nobody asked for it
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        with _calm():
            from mlflow.tracking import MlflowClient
        with _calm():  # again: importing it has set its loggers up
            address = os.environ.get("MLFLOW_TRACKING_URI")
            if not address:
                address = f"sqlite:///{(run.data / 'mlflow.db').absolute()}"
            self._place = None if address.startswith(("http://", "https://")) else NO_PLACE
            if self._place is not None:  # a server has a place of its own
                _begin_database(address)
            self._client = MlflowClient(address)
            self._id = self._go_on_or_begin(run)
        self._written: dict[str, int] = {}

    def begin(self, stage: str, lines: list[dict[str, Any]]) -> None:
        """Find out how far the stage was logged before; steps done again are not logged again."""
        with _calm():
            history = [
                point
                for name in ("loss", "dev_loss")
                for point in self._client.get_metric_history(self._id, f"{stage}/{name}")
            ]
        for name in ("loss", "dev_loss"):
            steps = [point.step for point in history if point.key == f"{stage}/{name}"]
            self._written[f"{stage}/{name}"] = max(steps, default=-1)
        for line in lines:
            self.take(line)

    def take(self, line: dict[str, Any]) -> None:
        """Log one line, unless an earlier process did."""
        from mlflow.entities import Metric

        kind = f"{line['stage']}/{'dev_loss' if 'dev_loss' in line else 'loss'}"
        if line["step"] <= self._written.get(kind, -1):
            return
        at_ms = int(dt.datetime.fromisoformat(line["at"]).timestamp() * 1000)
        metrics = [
            Metric(f"{line['stage']}/{name}", value, at_ms, line["step"])
            for name, value in figures_of(line).items()
        ]
        with _calm():
            self._client.log_batch(self._id, metrics=metrics)
        self._written[kind] = line["step"]

    def close(self, *, whole: bool) -> None:
        """End the run as finished or as killed; a resumed training opens it again."""
        with _calm():
            self._client.set_terminated(self._id, "FINISHED" if whole else "KILLED")

    def _go_on_or_begin(self, run: StageRun) -> str:
        kept = run.folder / EVENTS / KEPT_ID
        if kept.is_file():
            known = str(json.loads(kept.read_text("utf-8"))["run_id"])
            self._client.update_run(known, status="RUNNING")
            return known
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found is not None else None
        if experiment is None:
            experiment = self._client.create_experiment(EXPERIMENT, self._place)
        tags = {"fingerprint": run.fingerprint}
        tags |= {f"parent.{parent.stage}": parent.content_hash for parent in run.parents}
        made = str(self._client.create_run(experiment, tags=tags, run_name=run.name).info.run_id)
        for name, value in sayable(run.settings):
            self._client.log_param(made, name, value)
        write_text_atomically(kept, json.dumps({"run_id": made}))
        return made


def _begin_database(address: str) -> None:
    """Make a database that is not there yet, with the experiment that MLflow puts into each, at no place."""
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # a client can't name the place of that experiment; the store that it opens takes it as an argument
    if address.partition(":")[0].partition("+")[0] in DATABASE_ENGINES:
        begin: Callable[[str, str], object] = SqlAlchemyStore
        begin(address, NO_PLACE)


def sayable(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values of settings, without those that name a place on this machine."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from sayable(value, f"{before}{name}.")
        elif name != "base" and not {"/", "\\"} & set(str(value)):
            yield f"{before}{name}", str(value)


@contextmanager
def _calm() -> Iterator[None]:
    """Keep MLflow's own warnings and news out of the training's terminal."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
