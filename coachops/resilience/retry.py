"""One retry policy for the whole suite, on tenacity: exponential back-off with full jitter.

Full jitter: a wait is drawn evenly from 0 to the exponential bound (Brooker, "Exponential Backoff
And Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try.

    Attributes:
        attempts: calls in all, the first included.
        base: bound of the first wait, seconds.
        cap: bound of any wait, seconds.
        deadline: seconds after which no further attempt starts.
    """

    attempts: int = 5
    base: float = 0.05
    cap: float = 2.0
    deadline: float = 45.0

    def run(
        self,
        call: Callable[[], T],
        *,
        transient: Callable[[BaseException], bool],
        minimum_wait: Callable[[BaseException], float] = lambda _: 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> T:
        """The result of `call`, repeated while its error is transient.

        Parameters:
            call: the whole operation, safe to repeat.
            transient: whether an error may vanish by itself.
            minimum_wait: seconds the failing side asked for (Retry-After); a wait that does not
                fit the deadline ends the tries.
            sleep: waits; replaced in tests.

        Raises:
            the last error of `call`.
        """
        from tenacity import (  # noqa: PLC0415 108 ms that the command line does not need
            RetryCallState,
            Retrying,
            retry_if_exception,
            stop_after_attempt,
            stop_before_delay,
            wait_random_exponential,
        )

        jitter = wait_random_exponential(multiplier=self.base, max=self.cap)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(jitter(state), minimum_wait(error) if error else 0.0)

        retrying = Retrying(
            retry=retry_if_exception(transient),
            stop=stop_after_attempt(self.attempts) | stop_before_delay(self.deadline),
            wait=wait,
            sleep=sleep,
            reraise=True,
        )
        return retrying(call)
