"""The web app builds with the machine's Node and with the one from PyPI."""

import os
import shutil
import subprocess

import pytest

from conftest import IN_CI, ROOT


@pytest.mark.parametrize("way", ["machine", "wheel"])
def test_the_page_builds_with_either_node(way, tmp_path):
    if way == "machine" and shutil.which("node") is None and not IN_CI:
        pytest.skip("this machine has no Node; make demo takes the one from PyPI")
    environment = os.environ | ({"PSYLLM_NODE": "wheel"} if way == "wheel" else {})
    command = [
        ROOT / "web" / "build.sh",
        "--npm",
        "run",
        "build",
        "--",
        "--outDir",
        str(tmp_path),
        "--emptyOutDir",
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=240)
    assert '<div id="root"' in (tmp_path / "index.html").read_text()
    assert list((tmp_path / "assets").glob("*.js"))
    assert list((tmp_path / "assets").glob("*.css"))


def test_an_unchanged_page_is_not_built_again():
    first = (ROOT / "src" / "psyllm" / "serve" / "static" / "index.html").stat().st_mtime_ns
    subprocess.run([ROOT / "web" / "build.sh"], check=True, capture_output=True, timeout=240)
    assert (ROOT / "src" / "psyllm" / "serve" / "static" / "index.html").stat().st_mtime_ns == first
