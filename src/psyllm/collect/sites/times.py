"""Times as sites write them, as ISO 8601 in UTC.

Comes in: seconds or milliseconds since 1970, a date with or without time
(local time of the sites, +08:00), or words such as 3小时前, which need the time
of fetching. Goes out: `2013-05-01T04:33:44Z`; `2013-05-01` where only the day is
known (the site's day, not shifted); an empty string where less than the day is
known (3个月前, 2年前) or nothing fits. A time after the fetching is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

SITE_TIME = timezone(timedelta(hours=8))
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]*(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?)?"
)
_ZONE = re.compile(r"\dT\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_DAY_OF_YEAR = re.compile(r"(?<!\d)(\d{1,2})[-/月](\d{1,2})日?(?:[ T]*(\d{1,2})[:：](\d{2}))?(?![\d-])")
_AGO = re.compile(r"(\d{1,4})\s*(秒钟?|分钟?|个?小时|天|周)前")
_NAMED_DAY = re.compile(r"(今天|昨天|前天)(?:\s*(\d{1,2})[:：](\d{2}))?")
_UNITS = {"秒": "seconds", "分": "minutes", "小": "hours", "个": "hours", "天": "days", "周": "weeks"}
_DAYS_BACK = {"今天": 0, "昨天": 1, "前天": 2}
_MILLISECONDS_FROM = 10**11  # as seconds: the year 5138
_LATEST = 4 * 10**9  # the year 2096


def utc(value: object, fetched_at: str = "") -> str:
    """Return a site's time in ISO 8601, or an empty string."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return _of_seconds(float(value))
    said = str(value).strip()
    if said.isdecimal() and len(said) in {10, 13}:
        return _of_seconds(float(said))
    found = _absolute(said)
    if found and found[:10] <= fetched_at[:10]:
        return found
    moment = _moment(fetched_at) if fetched_at else None
    found = found or (_relative(said, moment) if moment else "")
    return "" if moment and found[:10] > _day_after(moment) else found


def fetched(value: str) -> str:
    """Return the time of fetching (WARC-Date) in whole seconds of UTC, or an empty string."""
    moment = _moment(value)
    return _written(moment) if moment else ""


def _of_seconds(seconds: float) -> str:
    if seconds >= _MILLISECONDS_FROM:
        seconds /= 1000
    return _written(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds < _LATEST else ""


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day_after(moment: datetime) -> str:
    return (moment + timedelta(days=1)).astimezone(SITE_TIME).strftime("%Y-%m-%d")


def _absolute(said: str) -> str:
    moment = _moment(said) if "T" in said and _ZONE.search(said) else None
    if moment:
        return _written(moment)
    found = _DATE.search(said)
    if found is None:
        return ""
    year, month, day = (int(part) for part in found.group(1, 2, 3))
    return _local(year, month, day, found.group(4, 5, 6))


def _local(year: int, month: int, day: int, clock: tuple[str | None, ...]) -> str:
    try:
        if clock[0] is None:
            return datetime(year, month, day, tzinfo=SITE_TIME).date().isoformat()
        numbers = [int(part or 0) for part in (*clock, None)[:3]]
        hour, minute, second = numbers
        return _written(datetime(year, month, day, hour, minute, second, tzinfo=SITE_TIME))
    except ValueError:
        return ""


def _relative(said: str, moment: datetime) -> str:
    here = moment.astimezone(SITE_TIME)
    if "刚刚" in said:
        return _written(here)
    ago = _AGO.search(said)
    if ago is not None:
        unit = _UNITS[ago.group(2)[0]]
        then = here - timedelta(**{unit: int(ago.group(1))})
        return then.strftime("%Y-%m-%d") if unit in {"days", "weeks"} else _written(then)
    named = _NAMED_DAY.search(said)
    if named is not None:
        then = here - timedelta(days=_DAYS_BACK[named.group(1)])
        return _local(then.year, then.month, then.day, named.group(2, 3))
    return _of_this_year(said, here)


def _of_this_year(said: str, here: datetime) -> str:
    """Return a day without a year: the last such day before the fetching."""
    found = _DAY_OF_YEAR.search(said)
    if found is None:
        return ""
    month, day = int(found.group(1)), int(found.group(2))
    year = here.year if (month, day) <= (here.month, here.day) else here.year - 1
    return _local(year, month, day, found.group(3, 4))
