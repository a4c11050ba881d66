"""What this machine has and lacks for psyllm, each lack with the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import psutil

GIB = 2**30
LEAST_MEMORY_GIB = 4
LEAST_DISK_GIB = 4


class Finding(NamedTuple):
    """One thing looked at."""

    name: str
    good: bool
    found: str
    mend: str


def findings(data: Path) -> list[Finding]:
    """Return everything looked at, in reading order."""
    return [
        _python(),
        _cores(),
        _memory(),
        _disk(data),
        _gpu(),
        *_packages(),
        _web_app(),
        _browser(),
        _casebook(data),
    ]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        "python", good=sys.version_info >= (3, 11), found=version, mend="install Python 3.11 or newer"
    )


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    return Finding("cores", cores >= 2, f"{cores}", "training and serving want 2 cores or more")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    found = f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB free"
    return Finding(
        "memory",
        memory.available > LEAST_MEMORY_GIB * GIB,
        found,
        "close other programs; 4 GiB free are enough",
    )


def _disk(data: Path) -> Finding:
    folder = data if data.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free / GIB
    return Finding(
        "disk", free > LEAST_DISK_GIB, f"{free:.0f} GiB free", "name a larger disk with --data DIR"
    )


def _gpu() -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("gpu", good=True, found="none found; the CPU is used", mend="")
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    if result.returncode:
        return Finding(
            "gpu",
            good=False,
            found="nvidia-smi fails",
            mend="nvidia-smi (its message says what the driver lacks)",
        )
    return Finding("gpu", good=True, found=result.stdout.strip().replace("\n", "; "), mend="")


def _packages() -> list[Finding]:
    wanted = {
        "torch": "make setup",
        "transformers": "make setup",
        "fastapi": "make setup",
        "playwright": "make setup",
    }
    found = []
    for name, mend in wanted.items():
        present = importlib.util.find_spec(name) is not None
        found.append(Finding(name, present, "installed" if present else "not installed", mend))
    return found


def _web_app() -> Finding:
    index = Path(__file__).parent.parent / "serve" / "static" / "index.html"
    return Finding("web app", index.is_file(), "built" if index.is_file() else "not built", "make web")


def _browser() -> Finding:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    found = program or "none; only tests need one"
    return Finding("browser", program is not None, found, "apt-get install chromium")


def _casebook(data: Path) -> Finding:
    path = data / "casebook" / "casebook.sqlite3"
    if not path.exists():
        return Finding("casebook", good=True, found=f"will be made at {path}", mend="")
    mode = path.stat().st_mode & 0o777
    return Finding("casebook", mode == 0o600, f"{path}, mode {mode:04o}", f"chmod 600 {path}")
