import hashlib
import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyllm.collect.crawl.permission import Permission, place_of, read_permission, template
from psyllm.core.errors import MissingFile, NoPermission

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DOCUMENT = b"we agree to this"


def written(folder, **changes):
    """A permission file that holds, but for the changes; None takes a line out."""
    (folder / "consent.pdf").write_bytes(DOCUMENT)
    lines = {
        "id": '"site-2026-01"',
        "source": '"site"',
        "basis": '"letter of the owner, 1 October 2026"',
        "contact": '"crawler@institute.example"',
        "expires": "2026-12-31",
        "document": '"consent.pdf"',
        "document_sha256": f'"{hashlib.sha256(DOCUMENT).hexdigest()}"',
        "licence": '"research only"',
        "may_train": "true",
        "may_show": "false",
        "delay_s": "2.0",
        "starts": '["https://www.site.example/qa?page=1"]',
        "scope": '[{hosts = ["www.site.example", "127.0.0.1:8000"], paths = ["/qa", "/post-*"]}]',
    } | changes
    path = folder / "permission.toml"
    path.write_text("\n".join(f"{name} = {value}" for name, value in lines.items() if value is not None))
    return path


def permission(tmp_path, **changes) -> Permission:
    return read_permission(written(tmp_path, **changes), NOW)


def test_a_filled_in_permission_holds(tmp_path):
    found = permission(tmp_path)
    assert found.id == "site-2026-01"
    assert found.delay_s == 2.0
    assert found.mail == "crawler@institute.example"
    assert found.hosts == {"www.site.example", "127.0.0.1:8000"}


def test_without_a_file_there_is_no_permission(tmp_path):
    with pytest.raises(MissingFile) as error:
        read_permission(tmp_path / "permission.toml", NOW)
    assert "permission-template" in error.value.next_step


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": "2026-11-24"}, "ended on 2026-11-24"),
        ({"document_sha256": f'"{"0" * 64}"'}, "not the one written down"),
        ({"document": '"other.pdf"'}, "does not lie beside it"),
        ({"document": '"../consent.pdf"'}, "document"),
        ({"contact": '"nobody"'}, "contact"),
        ({"contact": '"a@b.example\\r\\nCookie: x"'}, "contact"),
        ({"basis": None}, "basis"),
        ({"licence": None}, "licence"),
        ({"scope": "[]"}, "scope"),
        ({"scope": '[{hosts = ["*.site.example"], paths = ["/qa"]}]'}, "scope"),
        ({"scope": '[{hosts = ["www.site.example"], paths = ["qa"]}]'}, "scope"),
        (
            {"scope": '[{hosts = ["www.site.example"], paths = ["/qa"], site = "mars"}]'},
            "there is no site mars",
        ),
        ({"delay_s": "-1"}, "delay_s"),
        ({"starts": '["https://elsewhere.example/qa"]'}, "outside its own scope"),
        ({"everything_allowed": "true"}, "everything_allowed"),
        ({"expires": "not a day"}, "not valid TOML"),
    ],
)
def test_a_permission_with_a_hole_is_none(tmp_path, changes, words):
    with pytest.raises(NoPermission) as error:
        permission(tmp_path, **changes)
    assert words in error.value.message
    assert error.value.next_step


def test_the_last_day_counts_to_its_end(tmp_path):
    found = permission(tmp_path, expires="2026-11-25")
    assert not found.expired(datetime(2026, 11, 25, 23, 59, tzinfo=UTC))
    assert found.expired(datetime(2026, 11, 26, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://www.site.example/qa", True),
        ("http://www.site.example/qa/12?page=2", True),
        ("https://www.site.example:443/qa/12", True),
        ("https://www.site.example:8443/qa/12", False),
        ("http://127.0.0.1:8000/qa", True),
        ("http://127.0.0.1/qa", False),
        ("https://www.site.example/qaX", False),
        ("https://www.site.example/post-free-1-1.shtml", True),
        ("https://www.site.example/", False),
        ("https://site.example/qa", False),
        ("https://www.site.example.evil.example/qa", False),
        ("https://www.site.example@evil.example/qa", False),
        ("https://evil.example/?u=https://www.site.example/qa", False),
        ("https://www.site.example/qa/../private", False),
        ("https://www.site.example/qa/%2e%2e/private", False),
        ("https://www.site.example/qa/%252e%252e/private", False),
        ("https://www.site.example/qa\\..\\private", False),
        ("https://www.site.example/qa/..;/private", False),
        ("https://www.site.example/qa/..;a=b/private", False),
        ("https://www.site.example/qa/%2e%2e%3b/private", False),
        ("https://www.site.example/qa/..%00/private", False),
        ("https://www.site.example/qa/.%0a./private", False),
        ("https://www.site.example/qa/12;page=2", True),
        ("https://www.site.example/qa/...;/12", True),
        ("ftp://www.site.example/qa", False),
        ("//www.site.example/qa", False),
        ("https://www.site.example:x/qa", False),
        ("", False),
    ],
)
def test_the_scope_is_these_hosts_and_these_paths_and_nothing_like_them(tmp_path, url, inside):
    assert permission(tmp_path).covers(url) is inside


@given(st.text(max_size=60))
def test_any_text_has_a_place_or_none(text):
    host, path = place_of(text)
    assert (not host and not path) or path.startswith("/")


def test_the_template_says_every_field_and_grants_nothing(tmp_path):
    path = tmp_path / "permission.toml"
    path.write_text(template())
    fields = set(tomllib.loads(template())) | {"site"}
    assert set(Permission.model_fields) - {"forgotten"} <= fields
    with pytest.raises(NoPermission, match="does not lie beside it"):
        read_permission(path, NOW)
