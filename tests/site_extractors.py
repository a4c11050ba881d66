"""What the worker of the generic adapter's tests runs instead of trafilatura; imported by that process."""

import sys
import time


def slow_or_dying(markup, url):
    if "slow" in url:
        time.sleep(60)
    if "dies" in url:
        sys.exit(3)
    return {"title": "题", "text": markup, "date": "2020-01-02"}
