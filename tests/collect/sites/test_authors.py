import multiprocessing
import stat

import pytest

import made_threads as threads
import site_pages as made
from psyllm.collect.sites.authors import Authors
from psyllm.collect.sites.choose import adapters, choose
from psyllm.collect.sites.contract import Page
from psyllm.core.errors import UnusablePath


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = tmp_path / "keys" / "author.key"
    monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(place))
    return place


def test_the_key_is_made_once_for_its_owner_alone(tmp_path, place):
    first = Authors.from_key_file(tmp_path / "data").hash("zhihu", "某人")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert len(place.read_bytes()) == 32
    assert list(place.parent.iterdir()) == [place]
    assert Authors.from_key_file(tmp_path / "data").hash("zhihu", "某人") == first
    assert len(first) == 32


def test_without_a_variable_the_key_lies_at_home(tmp_path, monkeypatch):
    monkeypatch.delenv("PSYLLM_AUTHOR_KEY_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    Authors.from_key_file(tmp_path / "data")
    assert (tmp_path / ".psyllm" / "author.key").is_file()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda place: place.chmod(0o640), "can be read by others"),
        (lambda place: place.write_bytes(b"short"), "holds 5 bytes"),
        (lambda place: (place.unlink(), place.mkdir(mode=0o700)), "can't be used"),
    ],
)
def test_a_key_that_is_not_safe_is_refused(tmp_path, place, harm, said):
    Authors.from_key_file(tmp_path / "data")
    harm(place)
    with pytest.raises(UnusablePath, match=said):
        Authors.from_key_file(tmp_path / "data")


def test_a_key_in_the_data_folder_is_refused_and_not_made(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path / "link" / "author.key"))
    with pytest.raises(UnusablePath, match="inside the data folder"):
        Authors.from_key_file(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def _hash_in_a_process(data, results):
    results.put(Authors.from_key_file(data).hash("a", "b"))


def test_processes_that_start_together_have_one_key(tmp_path, place):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [
        context.Process(target=_hash_in_a_process, args=(tmp_path / "data", results)) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    assert len({results.get(timeout=30) for _ in workers}) == 1
    for worker in workers:
        worker.join()


def test_hashes_differ_by_site_author_and_key_and_nobody_has_none():
    one, other = Authors(b"1" * 32), Authors(b"2" * 32)
    assert len({one.hash("a", "x"), one.hash("b", "x"), one.hash("a", "y"), other.hash("a", "x")}) == 4
    assert {one.hash("a", name) for name in ("", "  ", "匿名用户", "匿名", "知乎用户")} == {""}
    assert "1111" not in repr(one)


@pytest.mark.parametrize("site", [name for name in made.PAGES if name != "other"])
@pytest.mark.parametrize("variant", ["", "markup", "older", "snake_case", "quotations", "remarks"])
def test_no_name_picture_or_place_comes_out(site, variant):
    url = made.url_of(site, 5)
    adapter = choose(url, adapters())
    reading = adapter.read(
        Page(url, made.page(site, 5, 1, variant), "", "2020-01-01T00:00:00Z"), Authors(b"k" * 32)
    )
    said = repr(reading) + repr(list(adapter.assemble(adapter.thread_of(url), [reading])))
    assert "author_hash" in said
    assert [planted for planted in threads.PLANTED if planted in said] == []
