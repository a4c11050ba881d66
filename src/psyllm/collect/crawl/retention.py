"""Pages as fetched are not kept longer than their permission says.

A folder of segments and a number of days come in; segments with a page that is
older are removed, and their names written down, so that nobody takes them for
lost. Every `psyllm collect crawl` of a source begins with it; nothing here runs
by itself. Records made from the pages stay: they are the data set, not the raw store.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from psyllm.collect.crawl.segments import SEGMENT_AGE
from psyllm.core.stages import write_text_atomically

EXPIRED = "expired.txt"


def expire(segments: Path, days: int | None, now: datetime) -> set[str]:
    """Remove segments whose time is over; return the names of all that ever were removed."""
    gone = expired_names(segments)
    if days is None or not segments.is_dir():
        return gone
    # The last page's time stands on the file; its first is older by one segment's age at most.
    oldest = (now - timedelta(days=days) + SEGMENT_AGE).timestamp()
    over = [path for path in sorted(segments.glob("*.warc.gz")) if path.stat().st_mtime <= oldest]
    if over:
        gone |= {path.name for path in over}
        write_text_atomically(segments / EXPIRED, "".join(f"{name}\n" for name in sorted(gone)))
        for path in over:
            path.unlink()
    return gone


def expired_names(segments: Path) -> set[str]:
    """Return the names of segments that were removed because their time was over."""
    try:
        return set((segments / EXPIRED).read_text("utf-8").splitlines())
    except FileNotFoundError:
        return set()
