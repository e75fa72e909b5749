"""Every code of the catalogue, shown by every surface: complete, the same, and nothing leaks."""

from __future__ import annotations

import json
import logging
import string
from html import unescape

import pytest
from markupsafe import Markup

from coachops.api.problems import STATUS, TITLES, answer
from coachops.cli import main
from coachops.core import request
from coachops.core.errors import CATALOGUE, CoachError
from coachops.dashboards.components import error_card
from coachops.reporting.failed import NAME, write_failure
from coachops.telemetry.logs import JsonFormatter

LEAK = "words-of-a-client"
RUN = "test-run-000001"

CODES = sorted(CATALOGUE)


def provoke(code: str) -> CoachError:
    """The error with every named detail filled in, and one that no text names."""
    spec = CATALOGUE[code]
    names = {
        field
        for text in (spec.happened, spec.next_step)
        for _, field, _, _ in string.Formatter().parse(text)
        if field
    }
    with request.using(RUN):
        return CoachError(code, **{name: f"<{name}>" for name in names}, unnamed=LEAK)


def plain(html: str) -> str:
    """The text of a page, as a person reads it."""
    return unescape(Markup(html).striptags())  # noqa: S704 only read by the test


@pytest.mark.parametrize("code", CODES)
def test_as_a_problem(code: str) -> None:
    error = provoke(code)
    scope = {
        "type": "http",
        "path": "/v1/x",
        "headers": [],
        "request_id": RUN,
        "origin": "http://o",
    }
    response = answer(error, scope)
    body = json.loads(bytes(response.body))
    assert response.media_type == "application/problem+json"
    assert body["type"] == f"http://o/guide/reference/errors/{code.lower()}/"
    assert body["title"] == TITLES[error.kind]
    assert body["status"] == response.status_code
    assert response.status_code in {*STATUS.values(), 405, 410, 421, 429}
    assert (body["code"], body["detail"], body["request_id"]) == (code, error.message, RUN)
    assert (body["why"], body["next_step"]) == (error.spec.why, error.next_step)
    assert ("retry-after" in response.headers) == error.spec.retryable
    assert LEAK not in bytes(response.body).decode()


@pytest.mark.parametrize("code", CODES)
def test_as_a_page_for_people(code: str) -> None:
    error = provoke(code)
    headers = [(b"accept", b"text/html")]
    response = answer(error, {"type": "http", "path": "/x", "headers": headers, "request_id": RUN})
    html = bytes(response.body).decode()
    text = plain(html)
    for part in (code, RUN, error.spec.why, error.message, error.next_step):
        assert " ".join(part.split()) in " ".join(text.split())
    assert f'href="{error.spec.page}"' in html
    assert LEAK not in html


@pytest.mark.parametrize("code", CODES)
def test_on_the_command_line(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = provoke(code)
    main._print_error(error, as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["request_id"] == RUN
    for part in (code, RUN, error.spec.why, error.message, error.next_step, error.spec.page):
        assert part in err
    assert LEAK not in out + err
    assert main.exit_code(error) in {1, 2, 3, 4}


@pytest.mark.parametrize("code", CODES)
def test_on_a_dashboard(code: str) -> None:
    error = provoke(code)
    card = error_card(error)
    text = " ".join(unescape(card.text()).split())
    for part in (code, RUN, error.spec.why, error.message, error.next_step):
        assert " ".join(part.split()) in text
    assert f'href="{error.spec.page}"' in card.content
    assert LEAK not in card.content


def test_on_the_page_of_a_failed_report_and_in_the_log(tmp_path: pytest.TempPathFactory) -> None:
    for code in CODES:
        error = provoke(code)
        write_failure(tmp_path, "Weekly", error, "http://o")  # type: ignore[arg-type]  # a path
        text = plain((tmp_path / NAME).read_text())  # type: ignore[operator]  # as above
        for part in (code, RUN, error.spec.why, error.message, error.next_step):
            assert " ".join(part.split()) in " ".join(text.split())
        assert LEAK not in text
        record = logging.makeLogRecord({"msg": "failed", "code": code, "levelno": logging.ERROR})
        with request.using(RUN):
            line = json.loads(JsonFormatter().format(record))
        assert (line["code"], line["request_id"]) == (code, RUN)
