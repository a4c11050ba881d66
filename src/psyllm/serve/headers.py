"""What every request must have and every response gets: security headers, size, the page's own mark.

An unsafe method needs the header `X-Psy-Request: 1`, which another site's form
can't send and another site's script may not without our consent, which is
never given. Words are never cached.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from psyllm.serve.problems import problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_BODY_BYTES = 256 * 1024
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}


class Headed:
    """Middleware: refuses unsafe requests without the mark, sets the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/api")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                if is_api:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = _refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, with_headers)


def _refusal(method: str, headers: Headers) -> ASGIApp | None:
    if method not in SAFE_METHODS and headers.get("x-psy-request") != "1":
        return problem(403, "the header X-Psy-Request is missing")
    # A body without a length is cut by Starlette's own limit, in plain text.
    if int(headers.get("content-length", "0")) > MOST_BODY_BYTES:
        return problem(413, f"more than {MOST_BODY_BYTES} bytes were sent", show_help=True)
    return None
