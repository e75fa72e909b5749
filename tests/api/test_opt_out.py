"""The link that ends the letters: opening it changes nothing, the button does, mail programs may too."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from coachops.coaching import messages
from coachops.coaching.messages import letterhead_for
from coachops.coaching.messages.opt_out import letter_token
from coachops.core.errors import CoachError
from coachops.db import Database
from tests.api.conftest import ORIGIN, Site, title_of
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import ListMailer, make_analysis
from tests.support.postgres_pair import PATIENT, PostgresPair, hasty

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def sent(site: Site, pair: Pair) -> messages.MessageRow:
    """A letter that the client has."""
    return _letter(site, pair, "sent")


def _letter(site: Site, pair: Pair, state: str) -> messages.MessageRow:
    database, secret = site.services.database, site.services.secret("feedback")
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, 1)
    if state == "sent":
        head = letterhead_for(site.services.settings, secret)
        messages.claim_and_send(database, ListMailer(), row.id, head)
    return messages.get(database, pair.actor, row.id)


@pytest.fixture
def path(site: Site, sent: messages.MessageRow) -> str:
    token = letter_token(site.services.secret("feedback"), sent.id, sent.recipient_email)
    return f"/letters/{token}"


def stopped(site: Site, pair: Pair) -> bool:
    secret = site.services.secret("feedback")
    found = messages.of_client(site.services.database, pair.actor, pair.client_id, secret)
    return found is not None


def test_opening_the_link_changes_nothing_and_the_button_does(
    site: Site, pair: Pair, path: str
) -> None:
    for _ in range(2):
        shown = site.client.get(path)
        assert (shown.status_code, title_of(shown.text)) == (200, "Stop these e-mails?")
    assert not stopped(site, pair)
    assert pair.coach_name in shown.text
    assert "c•••@example.org" in shown.text
    for _ in range(2):  # the same again changes nothing
        answer = site.post(path, data={"choice": "stop"})
        assert answer.status_code == 303  # type: ignore[attr-defined]
        after = site.client.get(path)
        assert title_of(after.text) == "You get no more e-mails"
        assert stopped(site, pair)
    answer = site.post(path, data={"choice": "resume"})
    again = site.client.get(answer.headers["location"])  # type: ignore[attr-defined]
    assert title_of(again.text) == "You get e-mails again"
    assert not stopped(site, pair)
    assert not site.client.cookies


@pytest.mark.parametrize("form", ["data", "files"])
def test_a_mail_program_ends_the_letters_by_one_post_without_an_origin(
    site: Site, pair: Pair, path: str, form: str
) -> None:
    body = ONE_CLICK if form == "data" else {name: (None, v) for name, v in ONE_CLICK.items()}
    answer = site.client.post(path, **{form: body})  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers.get("location")) == (200, None)
    assert stopped(site, pair)


def test_a_form_on_another_site_cannot_end_the_letters(site: Site, pair: Pair, path: str) -> None:
    answer = site.client.post(path, data=ONE_CLICK, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not stopped(site, pair)


def test_a_post_that_says_nothing_changes_nothing(site: Site, pair: Pair, path: str) -> None:
    assert site.client.post(path).status_code == 303
    assert site.client.post(path, data={"List-Unsubscribe": "other"}).status_code == 303
    assert not stopped(site, pair)


def test_queued_approvals_are_taken_back_and_nothing_can_be_approved(
    site: Site, pair: Pair, path: str
) -> None:
    database, secret = site.services.database, site.services.secret("feedback")
    queued = _letter(site, pair, "approved")
    site.client.post(path, data=ONE_CLICK)
    row = messages.get(database, pair.actor, queued.id)
    assert (row.state, row.error_code) == ("draft", "COACH-MSG-010")
    with pytest.raises(CoachError, match="COACH-MSG-010"):
        messages.approve(database, pair.actor, row.id, row.version, secret=secret)
    # approved somewhere that does not know the secret: the claim refuses it
    messages.approve(database, pair.actor, row.id, row.version)
    mailer = ListMailer()
    head = letterhead_for(site.services.settings, secret)
    assert messages.claim_and_send(database, mailer, row.id, head) == "draft"
    assert mailer.letters == []
    site.client.post(path, data={"choice": "resume"}, headers={"Origin": ORIGIN})
    row = messages.get(database, pair.actor, row.id)
    messages.approve(database, pair.actor, row.id, row.version, secret=secret)
    assert messages.claim_and_send(database, mailer, row.id, head) == "sent"


def test_links_that_we_did_not_make_are_refused(site: Site, pair: Pair, path: str) -> None:
    other = letter_token(b"another secret", uuid.UUID(int=1), "client@example.org")
    for token in (other, "x", "a.b", path.rpartition("/")[2][:-1]):
        for answer in (
            site.client.get(f"/letters/{token}", headers={"Accept": "text/html"}),
            site.client.post(f"/letters/{token}", data=ONE_CLICK),
        ):
            assert answer.status_code == 404
            assert "COACH-MSG-007" in answer.text
    assert not stopped(site, pair)


def test_the_link_works_after_the_letter_is_gone(site: Site, pair: Pair) -> None:
    secret = site.services.secret("feedback")
    token = letter_token(secret, uuid.UUID(int=7), "gone@example.org")
    assert site.client.post(f"/letters/{token}", data=ONE_CLICK).status_code == 200
    with site.services.database.read() as session:
        assert messages.is_suppressed(session, "Gone@Example.ORG.", secret)


def test_while_nothing_can_be_written_the_page_says_so_and_asks_to_come_back(
    site: Site, pair: Pair, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise CoachError("COACH-DB-007", reason="no primary")

    monkeypatch.setattr(type(site.services.database), "run", read_only)
    for form in ({"choice": "stop"}, ONE_CLICK):
        answer = site.client.post(path, data=form)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "COACH-MSG-016" in answer.text
        assert "No more e-mails" in answer.text  # the button is still there


def test_while_nothing_can_be_read_the_client_hears_nothing_of_databases(
    site: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise CoachError("COACH-DB-001", reason="no answer")

    monkeypatch.setattr(type(site.services.database), "read", away)
    monkeypatch.setattr(type(site.services.database), "run", away)
    for answer in (site.client.get(path), site.client.post(path, data=ONE_CLICK)):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "COACH-MSG-016" in answer.text
        assert "COACH-DB" not in answer.text


@pytest.mark.postgres
@pytest.mark.faults(6)
def test_without_a_primary_the_link_is_read_and_asks_to_come_back(
    make_site: Callable[..., Site], postgres_pair: PostgresPair
) -> None:
    """The real thing: the page is shown from the standby, the wish is kept after a promotion."""
    database = Database(
        postgres_pair.url(postgres_pair.create("template_coachops")), limits=PATIENT
    )
    try:
        site = make_site(database=database)
        pair = make_pair(database)
        row = _letter(site, pair, "sent")
        token = letter_token(site.services.secret("feedback"), row.id, row.recipient_email)
        postgres_pair.kill_primary()
        postgres_pair.standby.wait_until(lambda: database.state().mode == "read_only")
        assert site.client.get(f"/letters/{token}").status_code == 200
        with hasty(database):
            answer = site.client.post(f"/letters/{token}", data=ONE_CLICK)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "COACH-MSG-016" in answer.text
        postgres_pair.promote()
        postgres_pair.primary.wait_until(lambda: database.state().writable)
        assert site.client.post(f"/letters/{token}", data=ONE_CLICK).status_code == 200
        assert stopped(site, pair)
    finally:
        database.close()
