"""Every error of the API as RFC 9457 JSON: code, what was found, what to do next.

Errors of `core.errors` get a status here; whatever is refused before a route
runs (a broken body, a wrong path) gets the same form. Input is never echoed:
it may be a person's words. A failure of ours asks the page to show the help
card. Nothing is retried here.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from psyllm.core.errors import (
    BadInput,
    CasebookError,
    DiskFull,
    EngineFailed,
    NotAllowed,
    NotFound,
    PsyError,
    StaleVersion,
    WrongState,
)
from psyllm.serve.schema import Problem

log = logging.getLogger(__name__)

STATUS: dict[type[PsyError], int] = {
    NotFound: 404,
    NotAllowed: 403,
    StaleVersion: 409,
    WrongState: 409,
    BadInput: 422,
    EngineFailed: 503,
    DiskFull: 507,
    CasebookError: 503,
}


class _Refusal(NamedTuple):
    code: str
    next_step: str


# What is refused before one of our own errors is raised.
REFUSALS = {
    401: _Refusal(NotAllowed.code, "sign in at /desk"),
    403: _Refusal(NotAllowed.code, "send the header X-Psy-Request: 1"),
    404: _Refusal(NotFound.code, "go back to the first page"),
    405: _Refusal(NotAllowed.code, "see the API's description for what this path takes"),
    413: _Refusal(BadInput.code, "send a shorter text"),
    422: _Refusal(BadInput.code, "mend the request"),
    429: _Refusal(NotAllowed.code, "wait ten minutes, then try again"),
}
UNKNOWN = _Refusal(PsyError.code, "try again; the help lines answer without this service")


def problem(
    status: int, detail: str, *, code: str = "", next_step: str = "", show_help: bool = False
) -> JSONResponse:
    """Return one problem as a response."""
    refusal = REFUSALS.get(status, UNKNOWN)
    body = Problem(
        type=f"urn:psyllm:{code or refusal.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code or refusal.code,
        next=next_step or refusal.next_step,
        help=show_help,
    )
    return JSONResponse(body.model_dump(mode="json"), status, media_type="application/problem+json")


def answer_errors(app: FastAPI) -> None:
    """Give the application its error handlers."""

    @app.exception_handler(PsyError)
    async def expected(_request: Request, error: PsyError) -> JSONResponse:
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
        if status >= 500:
            log.error("answered %s with %s", status, error.code)
        return problem(
            status, error.message, code=error.code, next_step=error.next_step, show_help=status >= 500
        )

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":  # its place names the key that was sent
            return problem(422, "the request has a field that is not known here")
        # "loc" names our fields and "msg" the rule; "input" would be the words themselves.
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, f"{where}: {first['msg'].lower()}")

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> JSONResponse:
        # Whoever writes too much for us may be in need as much as anybody.
        show_help = error.status_code == 413 or error.status_code >= 500
        return problem(error.status_code, str(error.detail), show_help=show_help)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem(500, "the service failed; your words may not have been kept", show_help=True)
