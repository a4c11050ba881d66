"""Measures a stage while it runs and tells whoever listens: speed, memory, losses, what is done now.

In: Trainer's callbacks. Out: reports of `core/progress.py` with figures; the
terminal, the run's `events/` and trackers listen there. It decides nothing and
touches no weight: without it a run would end in the same bytes. Speed is tokens
without padding over the time of the steps, dev losses and savings left out.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from psyllm.core.progress import TRAINING, report
from psyllm.lm.pack import Rows
from psyllm.train.history import DEV_LOSS, FIGURES, best_step
from psyllm.train.peak import Peak, memory_in_use, operations_a_token, peak_of_this_machine
from psyllm.train.watch import Plan

STEPS_OF_SPEED = 20
STARTING, STEPPING, MEASURING, SAVING = (
    "starting",
    "training",
    "measuring the dev loss",
    "saving a checkpoint",
)


class Teller(TrainerCallback):
    """Reports each step, each line of the log, each dev loss and each checkpoint of a stage."""

    def __init__(self, stage: str) -> None:
        self._task = f"{TRAINING}{stage}"
        self._losses = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report where it starts."""
        del control, kwargs
        self._tell(state, args, STARTING)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report a step."""
        del kwargs
        doing = MEASURING if control.should_evaluate else SAVING if control.should_save else STEPPING
        self._tell(state, args, doing, self._of_step(state, args))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report the losses of a line of the log."""
        del kwargs
        line = state.log_history[-1]
        figures = {name: float(line[name]) for name in FIGURES if name in line}
        if not figures:
            return
        for name, word in (("loss", "loss"), (DEV_LOSS, "dev loss")):
            if name in figures:
                self._losses = f"{word} {figures[name]:.2f}"
        best = best_step(state.log_history)
        if best is not None:
            figures["best_step"] = float(best)
        waits = control.should_evaluate and DEV_LOSS not in figures
        doing = MEASURING if waits else SAVING if control.should_save else STEPPING
        self._tell(state, args, doing, figures | self._of_line(state) | memory_in_use())

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Say what comes after measuring."""
        del kwargs
        self._tell(state, args, SAVING if control.should_save else STEPPING)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Say that there is a new checkpoint."""
        del control, kwargs
        self._tell(state, args, STEPPING, {"saved_step": float(state.global_step)})

    def _of_step(self, state: TrainerState, args: TrainingArguments) -> dict[str, float]:
        """Return what else is told of a step."""
        del state, args
        return {}

    def _of_line(self, state: TrainerState) -> dict[str, float]:
        """Return what else is told with a line of the log."""
        del state
        return {}

    def _tell(
        self,
        state: TrainerState,
        args: TrainingArguments,
        doing: str,
        figures: dict[str, float] | None = None,
    ) -> None:
        if not state.is_world_process_zero:
            return
        figures = figures or {}
        report(
            self._task, state.global_step, args.max_steps, self._note(figures), figures=figures, doing=doing
        )

    def _note(self, figures: dict[str, float]) -> str:
        """Return what a bar says beside its numbers."""
        del figures
        return self._losses


class Gauge(Teller):
    """Tells speed and time left as well."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        super().__init__(plan.name)
        self._plan = plan
        self._rows = rows
        self._tokens_a_step = 0.0
        self._operations_a_token = 0.0
        self._peak = Peak(0.0, is_card=False)
        self._began_at = self._before = 0.0
        self._first_step = 0
        self._took: deque[float] = deque(maxlen=STEPS_OF_SPEED)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Learn what a token costs and what the machine could do, then start the clock."""
        model = kwargs.get("model")
        inner: Any = getattr(model, "module", model)  # out of what many processes wrap around it
        pad = getattr(getattr(inner, "config", None), "pad_token_id", None)
        words = 1.0 if pad is None else float((self._rows.ids != pad).mean())
        self._tokens_a_step = self._plan.settings.batch_rows * self._rows.ids.shape[1] * words
        super().on_train_begin(args, state, control, **kwargs)
        if hasattr(inner, "get_output_embeddings"):
            self._operations_a_token = operations_a_token(inner, self._rows.ids.shape[1])
            self._peak = peak_of_this_machine(self._plan.precision)
        self._first_step = state.global_step
        self._began_at = self._before = time.monotonic()

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Leave the time of measuring out of the speed."""
        super().on_evaluate(args, state, control, **kwargs)
        self._before = time.monotonic()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Leave the time of saving out of the speed."""
        super().on_save(args, state, control, **kwargs)
        self._before = time.monotonic()

    def _of_step(self, state: TrainerState, args: TrainingArguments) -> dict[str, float]:
        now = time.monotonic()
        self._took.append(now - self._before)
        self._before = now
        tokens_per_s = len(self._took) * self._tokens_a_step / max(sum(self._took), 1e-9)
        done = state.global_step - self._first_step
        a_step_s = (now - self._began_at) / max(done, 1)
        figures = {
            "tokens_per_s": tokens_per_s,
            "left_s": a_step_s * max(args.max_steps - state.global_step, 0),
        }
        if self._peak.operations_per_s > 0:
            name = "mfu" if self._peak.is_card else "processor_share"
            peak = self._peak.operations_per_s * self._plan.sharing.team.count
            figures[name] = tokens_per_s * self._operations_a_token / peak
        return figures

    def _of_line(self, state: TrainerState) -> dict[str, float]:
        return {"tokens": state.global_step * self._tokens_a_step}

    def _note(self, figures: dict[str, float]) -> str:
        speed = figures.get("tokens_per_s")
        if speed is None:
            return ""
        return f"{self._losses}{', ' if self._losses else ''}{speed:,.0f} tokens/s"
