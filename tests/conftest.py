"""Fixtures that every room's tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from psyllm.casebook.place import VARIABLE

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).parent.parent
IN_CI = bool(os.environ.get("CI"))


def is_missing(message: str) -> NoReturn:
    """End a test for which a newcomer's machine lacks a program: a failure in CI, which has all, a skip elsewhere."""
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def outside_data() -> Path:
    """The folder of real test data, or a skip with the reason."""
    folder = Path(os.environ.get("PSYLLM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no outside test data at {folder}; set PSYLLM_TEST_DATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _key_of_authors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key that hides authors out of the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PSYLLM_AUTHOR_KEY_FILE", str(tmp_path_factory.mktemp("keys") / "author.key"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_casebook_of_somebodys() -> Iterator[None]:
    """Keep tests that open a service out of the casebook that this machine's environment may name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the browser's journeys last: Playwright keeps an event loop running to the end of the session."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
