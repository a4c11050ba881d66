"""Steps of a visitor's and a counsellor's way through the pages, for tests in a browser."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page

from conftest import ROOT

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STAFF = ("li", "a long password for tests")


def psyllm(*words: str) -> None:
    """Run one command of the program; any failure fails the test."""
    subprocess.run([sys.executable, "-m", "psyllm.cli", *words], check=True, capture_output=True)


class Site(NamedTuple):
    """A running server: where it is and where its data lie."""

    url: str
    data: Path


class Serving:
    """The program itself, as a user starts it, until the block ends."""

    def __init__(self, data: Path, *settings: str) -> None:
        self.data = data
        sets = [word for setting in ("serve.model=any", *settings) for word in ("--set", setting)]
        self.command = [
            sys.executable,
            "-m",
            "psyllm.cli",
            "serve",
            "--port",
            "0",
            "--data",
            str(data),
            *sets,
        ]

    def __enter__(self) -> Site:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in self.process.stdout)
        return Site(next(address[0] for address in found if address), self.data)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def ask(page: Page, title: str, details: str = "") -> None:
    """Write the first question and send it."""
    page.get_by_label("用一句话说说是什么事").fill(title)
    page.get_by_label("想多说一点（可以不写）").fill(details)
    page.get_by_role("button", name="写好了，发送").click()
    page.get_by_role("log").wait_for()


def sign_in(page: Page) -> None:
    """Sign the counsellor in at the desk."""
    page.get_by_label("姓名").fill(STAFF[0])
    page.get_by_label("密码").fill(STAFF[1])
    page.get_by_role("button", name="登录").click()
    page.get_by_role("heading", name="个案", exact=True).wait_for()


def axe(page: Page) -> list[str]:
    """Return the WCAG 2.2 AA violations that axe finds on the page as it is."""
    source = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
    page.evaluate(source.read_text("utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:120]}" for rule in found["violations"]]
