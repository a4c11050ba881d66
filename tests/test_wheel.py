"""The wheel holds the web app: installed without Node it shows the page."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("psyllm-*.whl"))


def test_the_wheel_holds_the_page_and_every_table(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "psyllm/serve/static/index.html" in names
    assert "psyllm/lm/embedded/MODEL_CARD.md" in names
    assert any(re.fullmatch(r"psyllm/serve/static/assets/.*\.js", name) for name in names)
    source = ROOT / "src" / "psyllm"
    tables = [path for suffix in ("toml", "json", "jinja", "mako") for path in source.rglob(f"*.{suffix}")]
    tables = [path for path in tables if "static" not in path.parts]
    assert tables
    assert {f"psyllm/{path.relative_to(source)}" for path in tables} <= set(names)


def test_installed_without_node_it_serves_the_page(wheel, tmp_path):
    venv.create(tmp_path / "empty", with_pip=False)
    python = tmp_path / "empty" / "bin" / "python"
    site = (
        tmp_path
        / "empty"
        / "lib"
        / f"python{sys.version_info.major}.{sys.version_info.minor}"
        / "site-packages"
    )
    zipfile.ZipFile(wheel).extractall(site)
    # The packages it stands on are lent from this environment; psyllm itself comes from the wheel only.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment = {
        "PATH": str(tmp_path / "empty" / "bin"),
        "HOME": str(tmp_path),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    where = subprocess.run(
        [python, "-c", "import psyllm; print(psyllm.__file__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(site) in where.stdout
    command = [str(python), "-m", "psyllm.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            address = next(
                found[0] for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
            )
            page = httpx.get(address, timeout=20).text
            assert '<div id="root"' in page
            script = re.search(r'src="(/assets/[^"]+\.js)"', page)[1]
            assert httpx.get(address + script, timeout=20).status_code == 200
        finally:
            process.terminate()
            process.wait(20)
