"""`coachops worker`: the process that does background work."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False)

_LONGEST_WAIT = 10.0
"""Seconds between two looks whether the database is back."""


@app.command()
def worker() -> None:
    """Run background work until stopped: analysis, sending, reports, exports, backups, schedules.

    Stops cleanly on SIGTERM or Ctrl-C within 5 seconds; what is cut off is finished at the next
    start. Several workers may run with PostgreSQL, on any machines; with SQLite one is best. While
    the database is away it waits for it; it ends with 70, to be started again, where others may
    have taken its work over.

    Example:  coachops worker
    """
    import logging  # noqa: PLC0415 as below
    import os  # noqa: PLC0415 as below
    import signal  # noqa: PLC0415 as below
    import threading  # noqa: PLC0415 as below

    from coachops.cli.output import opened  # noqa: PLC0415 imports what --help does not need
    from coachops.core.errors import CoachError, Kind  # noqa: PLC0415 as above
    from coachops.core.settings import load_settings  # noqa: PLC0415 as above
    from coachops.jobs import Jobs  # noqa: PLC0415 as above
    from coachops.telemetry import configure_logging  # noqa: PLC0415 as above

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    configure_logging(load_settings().log_level)
    log = logging.getLogger("coachops.worker")
    wait = 1.0
    while not stopping.is_set():
        try:
            with opened() as services:
                services.database.require_sound()
                jobs = Jobs(services.settings, services)
                jobs.start(worker=True)
                log.info("the worker is ready")
                stopping.wait()
                ended = jobs.stop()
                log.info("the worker has stopped", extra={"all_steps_ended": ended})
        except CoachError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            log.warning("the worker waits", extra={"code": error.code, "seconds": wait})
            stopping.wait(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            continue
        if not ended:
            logging.shutdown()
            os._exit(0)  # a step that cannot be interrupted would hold the process; it is recovered
