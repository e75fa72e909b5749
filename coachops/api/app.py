"""Putting the application together; the one place that includes routers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from coachops import __version__
from coachops.api import (
    changes,
    exports,
    feedback,
    imports,
    inbound,
    leaving,
    mail_events,
    openapi,
    operations,
    opt_out,
    problems,
    signing_in,
    transcript_imports,
    v1,
    webhooks,
)
from coachops.api.access import Context, Work
from coachops.api.boundary import Boundary
from coachops.api.gate import Gate, gate_router
from coachops.api.guide import guide_router
from coachops.bootstrap import Services
from coachops.identity.runtime import Runtime

_HERE = Path(__file__).parent

PARTS = (
    operations,
    signing_in,
    feedback,
    opt_out,
    v1,
    inbound,
    imports,
    transcript_imports,
    leaving,
    exports,
    changes,
    webhooks,
    mail_events,
)
"""The modules whose `router` makes the application."""


def create_app(
    services: Services, runtime: Runtime | None = None, work: Work | None = None
) -> FastAPI:
    """The ASGI application.

    Parameters:
        services: of this process; the caller closes them.
        runtime: where dashboards and guide are; without it there is no `/app/` and no `/guide/`
            (the OpenAPI document and tests of `/v1` need neither).
        work: takes background work; None hands it to the worker process.
    """
    gate = Gate(services, runtime) if runtime is not None else None

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if gate is None:
            yield
        else:
            async with gate.running():
                yield

    app = FastAPI(
        title="coachops",
        version=__version__,
        summary="Coaching operations over HTTP. Errors are RFC 9457 problems with a COACH code.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
    )
    context = Context(services, work)
    app.state.context = context
    app.state.gate = gate
    problems.install(app)
    openapi.install(app)
    for part in PARTS:
        app.include_router(part.router)
    webhooks.describe(app)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    if gate is not None and runtime is not None:
        app.include_router(guide_router(runtime.guide))
        app.include_router(gate_router(gate))
    app.add_middleware(Boundary, public_url=services.settings.public_url, figures=context.figures)
    return app
