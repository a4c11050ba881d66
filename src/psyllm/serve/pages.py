"""The pages: the built web app, or a plain page with the help lines when it is not built.

Every path that is neither the API nor a file leads to the one page of the app,
which finds its screen by itself. Nothing outside the static folder is served.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

from psyllm.safety.directory import help_lines
from psyllm.serve.sessions import PartsDep

STATIC = Path(__file__).parent / "static"


def serve_pages(app: FastAPI, static: Path = STATIC) -> None:
    """Give the application its pages; call it after all other routes."""
    app.mount("/assets", StaticFiles(directory=static / "assets", check_dir=False), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    async def page(parts: PartsDep, path: str) -> Response:
        if path == "api" or path.startswith("api/"):
            raise HTTPException(404, "there is no such path")
        file = static / path
        if path and "/" not in path and not path.startswith(".") and file.is_file():
            return FileResponse(file)
        index = static / "index.html"
        if index.is_file():
            # The page names its hashed assets, so it is asked for again each time.
            return FileResponse(index, headers={"Cache-Control": "no-cache"})
        return HTMLResponse(_plain_page(parts.settings.region))


def _plain_page(region: str) -> str:
    rows = "".join(
        f'<li><a href="tel:{escape(line.tel)}">{escape(line.number)}</a> '
        f"{escape(line.name)}（{escape(line.hours)}） "
        f'<span lang="en">{escape(line.name_en)} ({escape(line.hours_en)})</span></li>'
        for line in help_lines(region)
    )
    return (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Psy-LLM</title>'
        f'<h1>需要帮助时，请直接打电话 <span lang="en">If you need help, please call</span></h1><ul>{rows}</ul>'
        "<p>马上有危险，先打急救或报警电话。不在中国大陆，请打当地的。</p>"
        '<p lang="en">In danger now: call an ambulance or the police first. '
        "Outside mainland China, call the local emergency number.</p>"
        "<h2>页面还没有准备好，不是你的错</h2>"
        "<p>服务已经在运行，但网页文件还没有。请在项目目录里运行 <code>make demo</code>，"
        "或者 <code>make web</code> 之后刷新。</p>"
        '<p lang="en">The service is running, but its pages are not built yet. Run <code>make demo</code> '
        "in the project's folder, or <code>make web</code> and reload.</p></html>"
    )
