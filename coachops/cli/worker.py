"""`coachops worker`: the process that does background work."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False)


@app.command()
def worker() -> None:
    """Run background work until stopped: analysis, sending, reports, schedules.

    Stops cleanly on SIGTERM or Ctrl-C within 5 seconds; what is cut off is finished at the next
    start. Several workers may run with PostgreSQL; with SQLite one is best.

    Example:  coachops worker
    """
    import logging  # noqa: PLC0415 as below
    import os  # noqa: PLC0415 as below
    import signal  # noqa: PLC0415 as below
    import threading  # noqa: PLC0415 as below

    from coachops.cli.output import opened  # noqa: PLC0415 imports what --help does not need
    from coachops.jobs import Jobs  # noqa: PLC0415 as above
    from coachops.telemetry import configure_logging  # noqa: PLC0415 as above

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with opened() as services:
        configure_logging(services.settings.log_level)
        log = logging.getLogger("coachops.worker")
        jobs = Jobs(services.settings, services)
        jobs.start(worker=True)
        log.info("the worker is ready")
        stopping.wait()
        ended = jobs.stop()
        log.info("the worker has stopped", extra={"all_steps_ended": ended})
    if not ended:
        logging.shutdown()
        os._exit(0)  # a step that cannot be interrupted would hold the process; it is recovered
