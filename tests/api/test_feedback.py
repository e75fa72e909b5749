"""The client's page: two questions behind a signed link, no cookie, kept once, shown again."""

from __future__ import annotations

import datetime as dt

import pytest

from coachops.coaching import messages
from coachops.coaching.feedback import feedback_token, list_feedback
from coachops.coaching.messages import letterhead_for
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from tests.api.conftest import Site, title_of
from tests.coaching.builders import Pair, make_transcript
from tests.coaching.messages.parts import ListMailer, make_analysis


@pytest.fixture
def path(site: Site, pair: Pair) -> str:
    """The address in a follow-up that was sent."""
    database, settings = site.services.database, site.services.settings
    secret = site.services.secret("feedback")
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    messages.claim_and_send(database, ListMailer(), row.id, letterhead_for(settings, secret))
    return f"/feedback/{feedback_token(secret, row.id)}"


def test_an_answer_is_kept_thanked_for_and_shown_again(site: Site, pair: Pair, path: str) -> None:
    form = site.client.get(path)
    assert form.status_code == 200
    assert title_of(form.text) == f"Your session with {pair.coach_name}"
    assert form.text.count('type="radio"') == 5
    answer = {"helpfulness": "4", "next_focus": "Saying <no> & meaning it"}
    sent = site.post(path, data=answer)
    assert sent.status_code == 303  # type: ignore[attr-defined]
    thanks = site.client.get(sent.headers["location"])  # type: ignore[attr-defined]
    assert title_of(thanks.text) == f"Thank you, {pair.client_name}"
    again = site.client.get(path)
    assert "4 of 5: Helpful" in again.text
    assert "Saying &lt;no&gt; &amp; meaning it" in again.text
    (row,) = list_feedback(site.services.database, pair.actor)
    assert (row.helpfulness, row.next_focus) == (4, "Saying <no> & meaning it")
    assert not site.client.cookies


def test_a_changed_answer_replaces_the_first_and_later_stands(
    site: Site, pair: Pair, path: str
) -> None:
    site.post(path, data={"helpfulness": "2"})
    assert "Change your answer" in site.client.get(path).text
    site.post(path, data={"helpfulness": "5"})
    (row,) = list_feedback(site.services.database, pair.actor)
    assert row.helpfulness == 5
    with clock.frozen(clock.now() + dt.timedelta(days=8)):
        assert "<form" not in site.client.get(path).text
        late = site.post(path, data={"helpfulness": "1"})
        assert late.status_code == 409  # type: ignore[attr-defined]
        assert "COACH-MSG-008" in late.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", [{}, {"helpfulness": "0"}, {"helpfulness": "6"}])
def test_a_missing_or_odd_value_shows_the_form_again(
    site: Site, pair: Pair, path: str, form: dict[str, str]
) -> None:
    response = site.post(path, data=form | {"next_focus": "keep my words"})
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert "keep my words" in response.text  # type: ignore[attr-defined]
    assert 'role="alert"' in response.text  # type: ignore[attr-defined]
    assert list_feedback(site.services.database, pair.actor) == []


def test_links_that_we_did_not_sign_are_refused_without_a_hint(
    site: Site, pair: Pair, path: str
) -> None:
    foreign = feedback_token(b"another secret", ids.new_id())
    never_sent = feedback_token(site.services.secret("feedback"), ids.new_id())
    for token in (foreign, never_sent, "x", "a.b.c", path.rpartition("/")[2][:-1]):
        shown = site.client.get(f"/feedback/{token}")
        assert (shown.status_code, title_of(shown.text)) == (404, "Not found")
        assert "COACH-MSG-007" in shown.text
        assert pair.client_name not in shown.text
        assert site.post(f"/feedback/{token}", data={"helpfulness": "3"}).status_code == 404  # type: ignore[attr-defined]


def test_while_nothing_can_be_read_the_client_hears_nothing_of_databases(
    site: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise CoachError("COACH-DB-001", reason="no answer")

    monkeypatch.setattr(type(site.services.database), "read", away)
    shown = site.client.get(path)
    assert (shown.status_code, shown.headers["Retry-After"]) == (503, "5")
    assert "COACH-MSG-016" in shown.text
    assert "COACH-DB" not in shown.text


def test_a_form_on_another_site_cannot_answer(site: Site, pair: Pair, path: str) -> None:
    for origin in ("http://evil.example", "null"):
        sent = site.client.post(path, data={"helpfulness": "1"}, headers={"Origin": origin})
        assert sent.status_code == 403
    assert list_feedback(site.services.database, pair.actor) == []
