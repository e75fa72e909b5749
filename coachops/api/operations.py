"""Health, readiness and metrics: for probes and Prometheus; counts only, no names."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool

from coachops.api.access import Context, InContext
from coachops.api.metrics import gauge, gauges
from coachops.core.errors import CoachError
from coachops.db import migrate
from coachops.jobs.health import queue_health
from coachops.jobs.heartbeat import worker_status
from coachops.webhooks.figures import traffic

router = APIRouter(tags=["operations"])


@router.get("/healthz")
@router.head("/healthz", include_in_schema=False)
def healthz() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@router.get("/readyz")
@router.head("/readyz", include_in_schema=False)
async def readyz(request: Request, context: InContext) -> JSONResponse:
    """Whether requests can be served: database reachable and of this version.

    Dashboards and worker are reported but do not decide: without them sign-in, guide and `/v1` still
    work, and uploads are analysed later.
    """
    checks = await run_in_threadpool(_database_checks, context)
    gate = getattr(request.app.state, "gate", None)
    if gate is not None:
        checks["dashboards"] = "ok" if await gate.upstream.is_up() else "starting"
    ready = checks["database"] == "ok"
    return JSONResponse(
        {"status": "ready" if ready else "not ready", "checks": checks},
        status_code=200 if ready else 503,
        headers={"Cache-Control": "no-store"},
    )


@router.get("/metrics", response_class=PlainTextResponse)
@router.head("/metrics", include_in_schema=False)
def metrics(context: InContext) -> PlainTextResponse:
    """Requests of this process, sign-ins and dashboard kernels, for Prometheus."""
    identity = context.services.identity
    lines = context.figures.lines()
    try:
        counts = identity.kernel_counts()
        lines += gauge("coachops_database_up", 1)
        lines += gauge("coachops_users_signed_in", identity.signed_in_count())
        lines += gauge("coachops_kernels_bound", counts.bound)
        lines += gauge("coachops_kernels_connected", counts.connected)
    except CoachError:
        lines += gauge("coachops_database_up", 0)
    lines += _work(context) + _webhooks(context)
    return PlainTextResponse(
        "\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8"
    )


def _work(context: Context) -> list[str]:
    """Background work, read past its queue: a stuck one is seen. Nothing where it cannot be read."""
    services = context.services
    try:
        found = queue_health(services.settings, services.database)
    except CoachError:
        return []
    oldest = found.oldest_seconds or 0.0
    return [
        *gauge("coachops_workers_alive", len(found.workers.alive)),
        *gauge("coachops_jobs_waiting", found.waiting),
        *gauge("coachops_jobs_oldest_waiting_seconds", round(oldest, 1)),
        *gauge("coachops_jobs_running", found.running),
        *gauge("coachops_jobs_failed", found.failed),
        *gauge("coachops_jobs_stuck", int(not found.ok)),
    ]


def _webhooks(context: Context) -> list[str]:
    """What becomes of deliveries. Nothing where the database does not answer."""
    try:
        found = traffic(context.services.database)
    except CoachError:
        return []
    name = "coachops_webhook_deliveries"
    return [
        *gauge("coachops_webhooks_off", found.off),
        *gauge(f"{name}_waiting", found.waiting),
        *gauge(f"{name}_oldest_waiting_seconds", round(found.oldest_seconds, 1)),
        *gauges(name, found.ended),
    ]


def _database_checks(context: Context) -> dict[str, str]:
    try:
        migrate.require_head(context.services.database)
        alive = worker_status(context.services.database).running
    except CoachError as error:
        return {"database": error.code}
    return {"database": "ok", "worker": "ok" if alive else "not running"}
