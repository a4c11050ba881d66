"""The crawler's benchmark works, and counts what it must never see."""

import re
import subprocess
import sys

from crawl_ground import ROOT, environment


def test_the_benchmark_prints_its_table(tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "crawl.py"), "--quick", "--only", "speed"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "after a wall: 0;" in result.stdout
    assert re.search(r"ratio to plain Scrapy: \d", result.stdout)
