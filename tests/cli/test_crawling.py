"""The crawler's commands: two lines and status 2 for whatever is wrong, and nothing fetched."""

import pytest

from psyllm.cli.main import run


@pytest.mark.parametrize(
    ("words", "code", "next_step"),
    [
        (["crawl"], "Missing argument", "psyllm collect crawl --help"),
        (["crawl", "none.toml"], "PSY-101", "psyllm collect permission-template > permission.toml"),
        (["crawl", "filled.toml"], "PSY-110", "permission-template"),
        (["crawl", "none.toml", "--workers", "0"], "PSY-106", "psyllm collect crawl --help"),
        (["crawl", "none.toml", "--set", "collect.crawl.frontir=x"], "PSY-106", "psyllm settings"),
        (["crawl-stop", "nobody"], "PSY-101", "ls data/raw"),
    ],
)
def test_what_is_wrong_is_said_in_two_lines(tmp_path, monkeypatch, capsys, words, code, next_step):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filled.toml").write_text('id = "half"\n')
    assert run(["collect", *words]) == 2
    error, step = capsys.readouterr().err.splitlines()
    assert code in error
    assert next_step in step
    assert not (tmp_path / "data").exists()


def test_the_template_is_printed_and_grants_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["collect", "permission-template"]) == 0
    (tmp_path / "permission.toml").write_text(capsys.readouterr().out)
    assert run(["collect", "crawl", "permission.toml"]) == 2
    assert "does not lie beside it" in capsys.readouterr().err
