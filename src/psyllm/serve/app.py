"""The web application: routes, errors and headers put together."""

from __future__ import annotations

from fastapi import FastAPI

from psyllm import serve
from psyllm.serve import me_routes, open_routes, run_routes, staff_routes, visitor_routes


def create_app() -> FastAPI:
    """Return the application with all routes."""
    app = FastAPI(
        title="Psy-LLM",
        version="0.1.0",
        description=serve.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
    )
    for routes in (open_routes, visitor_routes, run_routes, me_routes, staff_routes):
        app.include_router(routes.router)
    return app
