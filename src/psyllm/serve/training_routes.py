"""The desk's pages of trainings: which there are, what one is made of, its curves as they grow; for supervisors."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath

from psyllm.serve import training_origin, training_runs, training_schema
from psyllm.serve.sessions import PartsDep, Supervisor

router = APIRouter(prefix="/api/staff/trainings", tags=["trainings"])
RunName = Annotated[str, InPath(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Start = Annotated[int, Query(ge=0, le=2**53)]  # as far as a browser counts


@router.get("")
async def list_trainings(parts: PartsDep, _person: Supervisor) -> list[training_schema.TrainingSummary]:
    """List every training, running and interrupted ones too."""
    return await asyncio.to_thread(training_runs.find_all, parts.data)


@router.get("/{run}")
async def read_training(parts: PartsDep, _person: Supervisor, run: RunName) -> training_schema.TrainingDetail:
    """Read what one training is made of and where it comes from."""

    def read() -> training_schema.TrainingDetail:
        return training_origin.detail(parts.data, training_runs.find(parts.data, run))

    return await asyncio.to_thread(read)


@router.get("/{run}/curve")
async def read_curve(
    parts: PartsDep, _person: Supervisor, run: RunName, start: Start = 0
) -> training_schema.TrainingCurve:
    """Read the lines of metrics from a place on, and what a running training does now."""

    def read() -> training_schema.TrainingCurve:
        return training_runs.curve(training_runs.find(parts.data, run), start)

    return await asyncio.to_thread(read)
