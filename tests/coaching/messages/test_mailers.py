"""Mailers against a real mail server: taken, surely not taken, unknown."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import sys
import uuid
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from coachops.coaching.messages import MessageRow, OutboxMailer, SmtpMailer, mailer_for
from coachops.coaching.messages.letter import compose
from coachops.coaching.messages.mailers import parse_smtp_url
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from tests.coaching.messages.parts import LETTERHEAD
from tests.support.patience import PATIENCE
from tests.support.postgres import free_port
from tests.support.smtp import SmtpTestServer

AT = dt.datetime(2026, 11, 2, 9, 30, tzinfo=clock.UTC)
ID = uuid.UUID("019a0000-0000-7000-8000-000000000001")
ROW = MessageRow(
    id=ID, transcript_id=None, session_id=ID, held_on=AT.date(), client_id=ID,
    client_name="Maya Okafor", coach_id=ID, coach_name="Zoë Reyes", coach_email="zoe@example.org",
    recipient_name="Maya Okafor", recipient_email="maya@example.org", subject="Über uns",
    body="Hello Maya,\n\n.a line with a dot\n..\n" + "long " * 400 + "\n", engine_body="",
    state="sending", version=3, edited=False, stale=False, approved_version=3, approved_at=AT,
    sending_at=AT, sent_at=None, mail_id=None, error_code=None, created_at=AT, updated_at=AT,
)  # fmt: skip


def deliver(url: str, **options: object) -> None:
    mailer = SmtpMailer(parse_smtp_url(url), **options)  # type: ignore[arg-type]
    mailer.deliver(
        compose(ROW, LETTERHEAD, at=AT), sender="coaching@example.org", recipient="maya@example.org"
    )


def test_a_letter_arrives_as_it_was_written() -> None:
    with SmtpTestServer() as server:
        deliver(server.url)
    (letter,) = server.taken
    assert server.envelopes == [("coaching@example.org", ["maya@example.org"])]
    assert letter["Message-ID"] == f"<{ID}.3@example.org>"
    assert letter["Subject"] == "Über uns"
    assert str(letter["From"]) == "Zoë Reyes <coaching@example.org>"
    assert str(letter["Reply-To"]) == "Zoë Reyes <zoe@example.org>"
    assert letter["Date"].datetime == AT
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n").startswith(ROW.body.rstrip("\n"))
    assert "long long" in html.get_content()
    assert all(len(line) <= 998 for line in server.raw[0].split(b"\r\n"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("refuse_rcpt", "COACH-MSG-003"),
        ("busy_rcpt", "COACH-MSG-003"),
        ("drop_early", "COACH-MSG-003"),
        ("refuse_data", "COACH-MSG-003"),
        ("drop_at_data", "COACH-MSG-004"),
        ("silent", "COACH-MSG-004"),
    ],
)
def test_only_after_the_last_line_an_error_means_unknown(fault: str, code: str) -> None:
    with SmtpTestServer(fault) as server, pytest.raises(CoachError) as caught:
        deliver(server.url, final_timeout=0.3 if fault == "silent" else PATIENCE)
    assert caught.value.code == code
    assert "maya" not in str(caught.value)
    assert bool(server.taken) == (code == "COACH-MSG-004")


def test_a_server_that_is_not_there_took_nothing() -> None:
    with pytest.raises(CoachError, match="COACH-MSG-003"):
        deliver(f"smtp://127.0.0.1:{free_port()}")


def test_a_wrong_password_is_a_setting_to_correct_and_not_shown() -> None:
    with SmtpTestServer(password="right") as server:
        url = f"smtp://ada:wrong-secret@127.0.0.1:{server.port}"
        with pytest.raises(CoachError, match="COACH-MSG-009") as caught:
            deliver(url)
        assert "wrong-secret" not in str(caught.value)
        deliver(url.replace("wrong-secret", "right"))
    assert len(server.taken) == 1


def test_encryption_is_used_when_offered_and_insisted_on_when_asked(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    path, context = certificate
    trusting = ssl.create_default_context(cafile=str(path))
    with SmtpTestServer(tls=context) as server:
        deliver(server.url.replace("127.0.0.1", "localhost"), context=trusting)
        with pytest.raises(CoachError, match="encrypted connection failed"):
            deliver(server.url)  # the system does not know this certificate
    assert server.encrypted == [True]
    with SmtpTestServer() as plain:
        with pytest.raises(CoachError, match="COACH-MSG-009"):
            deliver(plain.url + "?tls=required")
        deliver(plain.url + "?tls=off")
    assert plain.encrypted == [False]


def test_a_server_that_speaks_tls_from_the_first_byte_is_reached(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    path, context = certificate
    with SmtpTestServer(implicit_tls=context) as server:
        url = f"smtps://localhost:{server.port}"
        deliver(url, context=ssl.create_default_context(cafile=str(path)))
        with pytest.raises(CoachError, match="encrypted connection failed"):
            deliver(url)
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    "url",
    ["http://h", "smtp://", "smtp://h:99999", "smtp://h?tls=maybe", "smtp://h?x=1", "smtp://h/x"],
)
def test_a_bad_address_of_the_server_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(CoachError, match="COACHOPS_SMTP_URL"):
        parse_smtp_url(url)


def test_the_address_of_the_server_may_hold_a_user_and_options() -> None:
    server = parse_smtp_url("smtp://ada%40x:p%3Aw@mail.example.org:2525?tls=required")
    assert (server.user, server.password, server.port, server.tls) == (
        "ada@x", "p:w", 2525, "required",
    )  # fmt: skip
    assert parse_smtp_url("smtps://h").port == 465
    assert parse_smtp_url("smtp://h").port == 587


def test_the_outbox_holds_each_letter_once(home: Path) -> None:
    mailer = mailer_for(load_settings(home=home))
    assert isinstance(mailer, OutboxMailer)
    for minutes in (0, 5):
        letter = compose(ROW, LETTERHEAD, at=AT + dt.timedelta(minutes=minutes))
        mailer.deliver(letter, sender="coaching@example.org", recipient="maya@example.org")
    newer = compose(replace(ROW, version=4), LETTERHEAD, at=AT)
    mailer.deliver(newer, sender="coaching@example.org", recipient="maya@example.org")
    files = sorted(path.name for path in (home / "outbox").iterdir())
    assert files == [f"{ID}.3.eml", f"{ID}.4.eml"]
    letter = message_from_bytes((home / "outbox" / files[0]).read_bytes(), policy=default)
    assert letter["To"] == "Maya Okafor <maya@example.org>"
    assert (home / "outbox" / files[0]).stat().st_mode & 0o777 == 0o600


def test_an_outbox_that_cannot_be_written_took_nothing(home: Path) -> None:
    home.mkdir()
    (home / "outbox").write_text("a file, not a folder")
    with pytest.raises(CoachError, match="COACH-MSG-003"):
        OutboxMailer(home / "outbox").deliver(
            compose(ROW, LETTERHEAD, at=AT), sender="a@b", recipient="c@d"
        )


@pytest.fixture(scope="module")
def certificate(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that nobody but its own file vouches for."""
    import subprocess

    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def test_a_letter_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    code = (
        "import resource, sys\n"
        "from email.message import EmailMessage\n"
        "from pathlib import Path\n"
        "from coachops.coaching.messages import OutboxMailer\n"
        "from coachops.core.errors import CoachError\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "letter = EmailMessage()\n"
        "letter['Message-ID'] = '<a.1@x>'; letter['To'] = 'k@example.com'\n"
        "letter.set_content('word ' * 20_000)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    OutboxMailer(Path(sys.argv[1])).deliver(letter, sender='c@x', recipient='k@x')\n"
        "except CoachError as error:\n"
        "    print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(outbox)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "COACH-MSG-003"
    assert list(outbox.iterdir()) == []
