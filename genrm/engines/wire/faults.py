"""A fault of one attempt: what the caller is told in the end, and what it says about the server.

    >>> fault = AttemptError(EngineError("HTTP 500"), retry=True, server=True)
    >>> fault.retry, fault.overload
    (True, False)

Clients raise it; :mod:`genrm.engines.wire.retry` reads it; nothing above sees it.
"""

from __future__ import annotations

from genrm.errors import JudgeError


class AttemptError(Exception):
    """One attempt failed.

    Attributes:
        error: what is raised when no more attempt is made.
        retry: the same request may succeed later.
        server: it says something about the server (it is down, busy, refuses the key) and nothing about the request;
            False means that the server works and this request is at fault.
        overload: the server wants fewer calls at a time.
        retry_after_s: how long the server asks to wait; None when it does not say.
    """

    def __init__(
        self,
        error: JudgeError,
        *,
        retry: bool,
        server: bool,
        overload: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error, self.retry, self.server, self.overload = error, retry, server, overload
        self.retry_after_s = retry_after_s
