"""The web application: routes, errors, headers and pages put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from psyllm.serve import (
    me_routes,
    open_routes,
    review_routes,
    run_routes,
    staff_routes,
    training_routes,
    visitor_routes,
)
from psyllm.serve.headers import MOST_BODY_BYTES, Headed
from psyllm.serve.pages import serve_pages
from psyllm.serve.parts import Parts
from psyllm.serve.problems import answer_errors
from psyllm.serve.version import VERSION

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
Opening = Callable[[], AbstractAsyncContextManager[Parts]]


def create_app(opening: Opening | None = None) -> FastAPI:
    """Return the application; `opening` opens its parts when the server starts, None is for describing it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if opening is None:
            yield
            return
        async with opening() as parts:
            app.state.parts = parts
            yield

    app = FastAPI(
        title="Psy-LLM",
        version=VERSION,
        description="A person's words in, an answer or a counsellor out.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
        # FastAPI's own would hand request bodies to whatever the environment names.
        telemetry=NO_TELEMETRY,
        lifespan=lifespan,
    )
    for routes in (
        open_routes,
        visitor_routes,
        run_routes,
        me_routes,
        staff_routes,
        review_routes,
        training_routes,
    ):
        app.include_router(routes.router)
    serve_pages(app)
    answer_errors(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MOST_BODY_BYTES)
    app.add_middleware(Headed)
    return app
