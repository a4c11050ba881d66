import random
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from full_disk import files_of_at_most
from psyllm.collect.crawl.segments import Segments, StoredPage, read_page
from psyllm.core.errors import DiskFull, MalformedInput, UnusablePath


def page(number: int, body: bytes = b"<p>x</p>") -> StoredPage:
    return StoredPage(
        f"https://site.example/qa/{number}",
        200,
        "text/html; charset=gbk",
        body,
        "2026-11-25T12:00:00Z",
        "site-2026-01",
        "ab" * 32,
    )


def test_what_was_written_is_read(tmp_path):
    segments = Segments(tmp_path / "segments", "w1")
    pages = [page(1, "心情很低落".encode("gbk")), page(2, b"a" * 100_000), page(3)]
    places = [*segments.append(pages[:2]), *segments.append(pages[2:])]
    segments.close()
    assert [read_page(tmp_path / "segments", place) for place in places] == pages
    assert segments.append([]) == []


@given(st.binary(max_size=2000))
def test_any_bytes_come_back(tmp_path_factory, body):
    folder = tmp_path_factory.mktemp("segments")
    segments = Segments(folder, "w1")
    (place,) = segments.append([page(1, body)])
    segments.close()
    assert read_page(folder, place).body == body


def test_a_torn_end_harms_nothing_before_it(tmp_path):
    segments = Segments(tmp_path, "w1")
    places = segments.append([page(1), page(2), page(3)])
    segments.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    assert read_page(tmp_path, places[1]) == page(2)
    with pytest.raises(MalformedInput, match="can't be read at byte"):
        read_page(tmp_path, places[2])


def test_a_file_is_an_archive_that_others_can_read(tmp_path):
    segments = Segments(tmp_path, "w1")
    segments.append([page(1), page(2)])
    segments.close()
    (path,) = tmp_path.iterdir()
    with path.open("rb") as file:
        urls = [record.rec_headers.get_header("WARC-Target-URI") for record in ArchiveIterator(file)]
    assert urls == [page(1).url, page(2).url]


def test_files_are_for_their_owner_alone_and_new_for_each_worker(tmp_path):
    folder = tmp_path / "segments"
    first, second = Segments(folder, "w1"), Segments(folder, "w1")
    first.append([page(1)])
    second.append([page(2)])
    first.close()
    second.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600, 0o600]


def test_a_full_file_is_followed_by_another(tmp_path):
    segments = Segments(tmp_path, "w1", most_bytes=100)
    places = [segments.append([page(number)])[0] for number in range(3)]
    segments.close()
    assert len({place.split(":")[0] for place in places}) == 3
    assert [read_page(tmp_path, place).url for place in places] == [page(number).url for number in range(3)]


def test_a_disk_without_space_is_told_and_what_comes_later_is_whole(tmp_path):
    folder = tmp_path / "segments"
    segments = Segments(folder, "w1")
    large = page(2, random.Random(1).randbytes(200_000))
    (first,) = segments.append([page(1)])
    with files_of_at_most(100_000), pytest.raises(DiskFull, match="no space is left"):
        segments.append([large])
    (again,) = segments.append([large])
    segments.close()
    assert [read_page(folder, place) for place in (first, again)] == [page(1), large]


def test_a_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "raw").write_text("a file")
    with pytest.raises(UnusablePath, match="can't be written"):
        Segments(tmp_path / "raw" / "segments", "w1").append([page(1)])


@pytest.mark.parametrize(
    "where", ["", "x", "../../etc/passwd:0:10", "a.warc.gz:0", "/abs.warc.gz:0:1", "w1-00-1.warc.gz:0:9"]
)
def test_a_place_that_is_none_reads_nothing(tmp_path, where):
    with pytest.raises(MalformedInput):
        read_page(tmp_path, where)
