"""What anybody may read without a cookie: the status, the help lines and the articles."""

from __future__ import annotations

from fastapi import APIRouter

from psyllm.safety import directory
from psyllm.serve import schema
from psyllm.serve.sessions import PartsDep
from psyllm.serve.version import VERSION

router = APIRouter(prefix="/api", tags=["open"])


@router.get("/status")
async def status(parts: PartsDep) -> schema.Status:
    """Tell whether the service is on trial, who is there and whether the model speaks."""
    return schema.Status(
        mode="released" if parts.released else "trial",
        counsellor_present=parts.presence.anybody(),
        generation=await parts.speaker.state(),
        version=VERSION,
    )


@router.get("/help")
async def help_directory(parts: PartsDep) -> schema.HelpDirectory:
    """Give the help lines, the set region first."""
    lines = [
        schema.HelpLine.model_validate(line, from_attributes=True)
        for line in lines_from(parts.settings.region)
    ]
    return schema.HelpDirectory(lines=lines, checked_on=directory.checked_on())


@router.get("/articles")
async def articles(parts: PartsDep) -> list[schema.Article]:
    """Give all bundled articles whole, so that nobody but the reader knows which one is read."""
    return [schema.Article.model_validate(article, from_attributes=True) for article in parts.articles]


def lines_from(region: str) -> list[directory.HelpLine]:
    """Return all lines, those of the region first."""
    near = directory.help_lines(region)
    return [*near, *(line for line in directory.help_lines() if line not in near)]
