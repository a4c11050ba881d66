import os
from datetime import UTC, datetime, timedelta

from psyllm.collect.crawl.retention import expire, expired_names

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def segment(folder, name, age):
    path = folder / f"{name}.warc.gz"
    path.write_bytes(b"x")
    at = (NOW - age).timestamp()
    os.utime(path, (at, at))
    return path


def test_no_page_outlives_its_time(tmp_path):
    new = segment(tmp_path, "w1-a-00001", timedelta(days=8))
    # A file spans a day: its last page is 9 days old, its first may be 10.
    over = segment(tmp_path, "w1-b-00001", timedelta(days=9))
    assert expire(tmp_path, 10, NOW) == {over.name}
    assert new.exists()
    assert not over.exists()
    assert expired_names(tmp_path) == {over.name}


def test_names_of_earlier_removals_stay_known(tmp_path):
    first = segment(tmp_path, "w1-a-00001", timedelta(days=30))
    second = segment(tmp_path, "w1-b-00001", timedelta(days=20))
    expire(tmp_path, 25, NOW)
    assert expire(tmp_path, 15, NOW) == {first.name, second.name}


def test_without_a_limit_everything_stays(tmp_path):
    path = segment(tmp_path, "w1-a-00001", timedelta(days=3000))
    assert expire(tmp_path, None, NOW) == set()
    assert expire(tmp_path / "none", 5, NOW) == set()
    assert path.exists()
