"""The settings of `collect`: what is imported, how a table and a crawl are read. A section of `settings.py`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from psyllm.core.records import Frozen
from psyllm.core.setting_types import Positive


class ColumnSettings(Frozen):
    """Which column of a table holds what; an empty name is found by the usual headers."""

    id: str = Field("", description="column with the row's own key")
    question: str = Field("", description="column with the question")
    description: str = Field("", description="column with the question's details")
    answer: str = Field("", description="column with the answer")
    title: str = Field("", description="column with a document's title")
    text: str = Field("", description="column with a document's text")
    topic: str = Field("", description="column with the topic")
    keywords: str = Field("", description="column with keywords, commas between them")
    url: str = Field("", description="column with the address that the row comes from")
    date: str = Field("", description="column with the time of writing")


class CrawlSettings(Frozen):
    """How a crawl goes about it; what it may do stands in its permission."""

    frontier: str = Field(
        "",
        description="where the URLs are kept: redis://… for many machines, DATA on a disk of each; empty is a file in DATA/raw/SOURCE",
    )
    workers: Positive = Field(1, description="processes that fetch; one clock a host is shared by all")
    timeout_s: Annotated[float, Field(gt=0)] = Field(
        30, description="a page that takes longer is tried again later"
    )
    most_page_bytes: Positive = Field(10_000_000, description="a page that is larger, unpacked, is not kept")
    most_attempts: Positive = Field(4, description="a page that failed so often is given up")
    most_depth: Positive = Field(32, description="links are followed so many steps from a start")
    robots_rest_s: Annotated[float, Field(gt=0)] = Field(
        600, description="a host whose robots.txt can't be had rests so long; after three times it means no"
    )
    lease_s: Annotated[float, Field(gt=0)] = Field(
        60, description="a dead worker's pages go to another after so long"
    )


class CollectSettings(Frozen):
    """What to import and under which name and licence, and how to crawl."""

    path: Path | None = Field(None, description="file or folder to import; none imports the starter corpus")
    name: str = Field(
        "starter",
        description="name of the source: lower-case letters, digits, - and _",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
    )
    licence: str = Field(
        "CC-BY-4.0", description="licence of the source, as an SPDX name or free text", min_length=1
    )
    may_train: bool = Field(True, description="whether the licence allows training")
    may_show: bool = Field(False, description="whether the texts may be shown to visitors")
    uses: Literal["any", "non_commercial", "research"] | None = Field(
        None,
        description="what an agreement with the owner allows (none: what the licence says); more than"
        " the licence only with the agreement's file",
    )
    expires: dt.date | None = Field(
        None,
        description="last day of the agreement (2027-06-30); after it the source is left out of a corpus",
    )
    agreement: Path | None = Field(
        None, description="file of the agreement; its hash is kept, the file is not"
    )
    own_work: bool = Field(
        False,
        description="whether the texts were written first-hand and made from no other data; a leak check can't rule out a leak by the others",
    )
    limit: Positive | None = Field(None, description="import only the first so many records")
    replace: bool = Field(False, description="replace a source of the same name that holds something else")
    encoding: str = Field(
        "", description="encoding of the text, as GB18030 or Big5; an empty one is found by content"
    )
    damaged_text: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="what damaged bytes do: refuse the import, or leave out the records that hold them",
    )
    columns: ColumnSettings = Field(default_factory=ColumnSettings)
    crawl: CrawlSettings = Field(default_factory=CrawlSettings)
