"""`psyllm forget` as people type it: addresses in any spelling, authors by what a site calls them."""

import pytest

from forgotten_story import SECRET, collected, holds, question
from psyllm.cli.main import run as cli
from psyllm.collect.sites.authors import KEY_FILE_VARIABLE, Authors
from psyllm.core.records import read_records
from psyllm.core.tombstones import read_tombstones


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two questions; one of them by somebody whom the site calls 河边的树."""
    home = tmp_path / "data"
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "author.key"))
    mark = Authors.from_key_file(home).hash("zhihu", "河边的树")
    collected(home, [question(1, text=SECRET, author_hash=mark), question(2)])
    return home


def named(data, text):
    path = data.parent / "id.txt"
    path.write_text(text, "utf-8")
    return ["forget", "--data", str(data), "--site", "zhihu", "--author-id-file", str(path)]


@pytest.mark.parametrize("url", ["http://SITE.example/q/1/", "site.example/q/1?from=share#top"])
def test_an_address_is_found_however_it_is_spelt(data, url, capsys):
    assert cli(["forget", "--data", str(data), "--url", url]) == 0
    assert not holds(data, SECRET)
    assert "1_collected/site: 1 rows taken out or changed" in capsys.readouterr().out


def test_when_nothing_is_found_it_is_said_plainly(data, capsys):
    assert cli(["forget", "--data", str(data), "--url", "https://site.example/q/99"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("NOTHING WAS FOUND")
    assert holds(data, SECRET)


def test_a_mistyped_data_folder_is_told_and_not_made(tmp_path, capsys):
    assert cli(["forget", "--url", "https://a.example/1", "--data", str(tmp_path / "typo")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_an_author_is_named_by_a_file_and_shown_nowhere(data, capsys):
    assert cli(named(data, "\ufeff河边的树\n")) == 0
    assert not holds(data, SECRET)
    assert [record.id for record in read_records(data / "1_collected" / "site")] == ["site:2"]
    assert len(read_tombstones(data).authors) == 1
    out, error = capsys.readouterr()
    assert "河边的树" not in out + error


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "names 0 authors on 0 lines"), ("匿名用户\n河边的树", "names 1 authors on 2 lines")],
)
def test_a_name_for_all_names_nobody(data, text, says, capsys):
    assert cli(named(data, text)) == 2
    assert says in capsys.readouterr().err
    assert not read_tombstones(data).authors


def test_a_site_without_a_file_and_a_site_that_is_none_are_refused(data, capsys):
    assert cli(["forget", "--data", str(data), "--site", "zhihu"]) == 2
    assert "psyllm forget --site SITE --author-id-file FILE" in capsys.readouterr().err
    command = named(data, "河边的树")
    command[command.index("zhihu")] = "nowhere"
    assert cli(command) == 2
    assert "zhihu" in capsys.readouterr().err


def test_without_the_key_no_new_one_is_made(data, monkeypatch, capsys):
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(data.parent / "lost.key"))
    assert cli(named(data, "河边的树")) == 2
    assert "there is no authors' key" in capsys.readouterr().err
    assert not (data.parent / "lost.key").exists()
