"""Health, metrics and the guide."""

from __future__ import annotations

import datetime as dt
import re

import sqlalchemy as sa

from coachops.api.metrics import METRICS
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.jobs import Jobs, heartbeat
from tests.api.conftest import Site, title_of


def test_readiness_tells_each_part(site: Site) -> None:
    body = site.client.get("/readyz").json()
    assert body == {
        "status": "ready",
        "checks": {"database": "ok", "worker": "not running", "dashboards": "starting"},
    }
    with clock.frozen(clock.now()):
        heartbeat.beat(site.services.database, "here", starting=True)
        assert site.client.get("/readyz").json()["checks"]["worker"] == "ok"
    assert site.client.get("/healthz").json() == {"status": "ok"}


def test_metrics_count_by_route_and_never_by_address(site: Site) -> None:
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    token = site.services.identity.sign_in_link(SYSTEM, "ada@example.org")
    site.client.get(f"/link/{token}")
    site.client.get("/secret-words-of-a-client")
    site.client.request("BREW", "/login", headers={"Origin": "http://localhost:8000"})
    response = site.client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = response.text
    assert 'coachops_http_requests_total{method="GET",route="/link/{token}",status="200"} 1' in text
    assert 'method="GET",route="unmatched",status="404"} 1' in text
    assert 'method="OTHER"' in text
    assert "coachops_users_signed_in 1" in text
    assert "coachops_kernels_bound 0" in text
    assert token not in text
    assert "secret-words" not in text
    line = r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? [0-9.e+-]+)'
    assert [row for row in text.splitlines() if not re.fullmatch(line, row)] == []


def test_metrics_tell_of_work_that_does_not_move(site: Site) -> None:
    assert "coachops_jobs_stuck 0" in site.client.get("/metrics").text
    services = site.services
    with Jobs(services.settings, services) as jobs:
        queued = jobs.get(jobs.enqueue_pipeline(ids.new_id())).created_at
    with clock.frozen(queued + dt.timedelta(minutes=20)):
        text = site.client.get("/metrics").text
    assert "coachops_jobs_waiting 1" in text
    assert "coachops_jobs_oldest_waiting_seconds 1200.0" in text
    assert "coachops_jobs_stuck 1" in text
    assert "coachops_workers_alive 0" in text


def test_metrics_tell_what_becomes_of_deliveries(site: Site) -> None:
    services, now = site.services, clock.now()
    hooks = services.webhooks
    _, hook = hooks.add(SYSTEM, "http://127.0.0.1:1/", ["export.failed"])
    states = {"waiting": 2, "delivered": 3, "exhausted": 1}
    with services.database.write() as session:
        for number, state in enumerate([s for s, count in states.items() for _ in range(count)]):
            event = WebhookEvent(key=str(number), type="export.failed", data={}, occurred_at=now)
            session.add(event)
            session.flush()
            session.add(
                WebhookDelivery(
                    event_id=event.id, endpoint_id=hook.id, state=state, next_at=now,
                    created_at=now, finished_at=None if state == "waiting" else now,
                )
            )  # fmt: skip
        session.execute(sa.update(WebhookEndpoint).values(disabled_at=now, disabled_reason="gone"))
    with clock.frozen(now + dt.timedelta(hours=2)):
        text = site.client.get("/metrics").text
    assert "coachops_webhooks_off 1\n" in text
    assert "coachops_webhook_deliveries_waiting 2\n" in text
    assert "coachops_webhook_deliveries_oldest_waiting_seconds 7200.0\n" in text
    for outcome, count in {"delivered": 3, "exhausted": 1, "dropped": 0}.items():
        assert f'coachops_webhook_deliveries{{outcome="{outcome}"}} {count}\n' in text
    with clock.frozen(now + dt.timedelta(days=2)):
        text = site.client.get("/metrics").text
    assert 'coachops_webhook_deliveries{outcome="delivered"} 0\n' in text


def test_every_metric_is_in_the_list_and_the_list_holds_no_other(site: Site) -> None:
    site.client.get("/healthz")
    text = site.client.get("/metrics").text
    assert re.findall(r"# TYPE (\w+) (\w+)", text) == [
        (name, metric.kind) for name, metric in METRICS.items()
    ]
    told = set(re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?[{ ]", text, re.MULTILINE))
    assert told == set(METRICS)


def test_the_guide_is_for_those_who_are_signed_in(site: Site) -> None:
    folder = site.services.settings.home / "site"
    (folder / "start").mkdir(parents=True)
    (folder / "start" / "index.html").write_text("<h1>Start</h1>")
    assert site.client.get("/guide/start/").headers["location"] == "/login?next=/guide/start/"
    assert site.client.get("/guide").headers["location"] == "/guide/"
    for public in ("reference/errors", "reference/errors/coach-trn-001", "assets/styles"):
        (folder / public).mkdir(parents=True)
        (folder / public / "index.html").write_text("<h1>For all</h1>")
        assert site.client.get(f"/guide/{public}/").json()["code"] == "COACH-API-008"
    for path in ("reference/errors/../../start/", "assets/%2e%2e/start/"):
        assert "login" in site.client.get(f"/guide/{path}").headers["location"]
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    missing = site.client.get("/guide/", headers={"Accept": "text/html"})
    assert missing.status_code == 404
    assert "COACH-API-008" in missing.text
    (folder / "index.html").write_text("<h1>Home</h1>")
    assert title_of(site.client.get("/guide/").text) == "Home"
    site.client.cookies.clear()
    assert title_of(site.client.get("/guide/reference/errors/coach-trn-001/").text) == "For all"
    site.sign_in("ada@example.org")
    assert title_of(site.client.get("/guide/start/").text) == "Start"
    assert site.client.get("/guide/start").headers["location"] == "/guide/start/"
    for path in ("nothing/", "../secrets/cookie", "%2e%2e/secrets/cookie", "start/../../secrets"):
        assert site.client.get(f"/guide/{path}").status_code == 404, path
    assert "frame-ancestors 'none'" in site.client.get("/guide/").headers["content-security-policy"]


def test_a_page_asked_for_while_the_dashboards_start_asks_again_by_itself(site: Site) -> None:
    site.add("ada@example.org", "admin")
    site.sign_in("ada@example.org")
    response = site.client.get("/app/overview", headers={"Accept": "text/html"})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "COACH-API-007" in response.text
    assert 'http-equiv="refresh"' in response.text
    assert 'href="/guide/reference/errors/coach-api-007/"' in response.text
