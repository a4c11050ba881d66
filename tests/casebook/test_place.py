"""A casebook that lies elsewhere is found by every command, or they refuse; none sees an empty one."""

from pathlib import Path

import pytest

from casebook_story import blank_casebook
from psyllm.casebook.open import casebook_path, casebook_url
from psyllm.casebook.place import VARIABLE, casebook_at, has_casebook, note_path, note_place
from psyllm.core.errors import CasebookError

SERVER = "postgresql+asyncpg://desk:geheim@db.example:5432/psy?sslpassword=geheim"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_data_folders_own_file_needs_no_note(tmp_path: Path) -> None:
    note_place(tmp_path, casebook_url(tmp_path))
    assert not note_path(tmp_path).exists()
    assert casebook_at(tmp_path) == casebook_url(tmp_path)
    assert not has_casebook(tmp_path)
    casebook_path(tmp_path).parent.mkdir()
    casebook_path(tmp_path).write_bytes(blank_casebook())
    assert has_casebook(tmp_path)


def test_another_file_is_opened_without_being_named_again(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "book.sqlite3").write_bytes(blank_casebook())
    monkeypatch.chdir(tmp_path / "elsewhere")
    data = tmp_path / "data"
    note_place(data, "sqlite+aiosqlite:///book.sqlite3")
    monkeypatch.chdir(tmp_path)
    absolute = f"sqlite+aiosqlite:///{tmp_path}/elsewhere/book.sqlite3"
    assert casebook_at(data) == absolute
    assert casebook_at(data, absolute) == absolute
    assert has_casebook(data)
    with pytest.raises(CasebookError, match="another one is set"):
        casebook_at(data, "sqlite+aiosqlite:///other.sqlite3")
    with pytest.raises(CasebookError, match="another one is set"):
        casebook_at(data, casebook_url(data))
    (tmp_path / "elsewhere" / "book.sqlite3").unlink()
    with pytest.raises(CasebookError, match="there is nothing"):
        has_casebook(data)


def test_a_url_that_is_none_is_told_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "no url at all")
    with pytest.raises(CasebookError, match="the set URL of the casebook is none"):
        has_casebook(tmp_path)


def test_a_server_is_noted_without_its_secrets_and_asked_for_again(tmp_path: Path, monkeypatch) -> None:
    note_place(tmp_path, SERVER)
    assert "geheim" not in note_path(tmp_path).read_text("utf-8")
    with pytest.raises(
        CasebookError, match=r"lies at postgresql\+asyncpg://desk@db\.example:5432/psy"
    ) as told:
        has_casebook(tmp_path)
    assert VARIABLE in told.value.next_step
    assert "geheim" not in str(told.value)
    monkeypatch.setenv(VARIABLE, SERVER)
    assert casebook_at(tmp_path) == SERVER
    assert has_casebook(tmp_path)
    monkeypatch.setenv(VARIABLE, SERVER.replace("/psy?", "/other?"))
    with pytest.raises(CasebookError, match="another one is set") as told:
        casebook_at(tmp_path)
    assert "geheim" not in str(told.value)


def test_a_server_without_a_password_needs_nothing(tmp_path: Path) -> None:
    note_place(tmp_path, "postgresql+asyncpg://desk@db.example/psy")
    assert casebook_at(tmp_path) == "postgresql+asyncpg://desk@db.example/psy"


@pytest.mark.parametrize("text", ["", "{}", '{"place": 3}'])
def test_a_damaged_note_is_no_empty_casebook(tmp_path: Path, text: str) -> None:
    note_path(tmp_path).parent.mkdir()
    note_path(tmp_path).write_text(text)
    with pytest.raises(CasebookError, match="does not say where"):
        has_casebook(tmp_path)


def test_a_url_that_is_none_is_refused_unseen(tmp_path: Path) -> None:
    note_place(tmp_path, SERVER)
    with pytest.raises(CasebookError) as told:
        casebook_at(tmp_path, "geheim")
    assert "geheim" not in str(told.value)
