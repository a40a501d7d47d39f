"""The HTTP client: JSON out, JSON in, connections kept alive, one pool for all engines of a process.

    >>> client = Client("http://localhost:8000/v1")                                          # doctest: +SKIP
    >>> await client.post("/chat/completions", orjson.dumps(body))                           # doctest: +SKIP

It makes one attempt and raises :class:`genrm.engines.wire.faults.AttemptError`; how many calls are in flight, how
long they may take and whether they are made again is decided by :class:`genrm.engines.wire.retry.Line`. So it has no
timeouts of its own except for making a connection, and its pool has no limit. A call that is cancelled closes its
connection, by which the server knows that nobody waits for the answer.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import orjson

from genrm.engines.wire import errors
from genrm.engines.wire.faults import AttemptError
from genrm.errors import Fault, SpecError

if TYPE_CHECKING:
    import aiohttp

MAX_BODY = 64 << 20
"""An answer larger than this is not read: no judge writes 64 MiB."""
CONNECT_S = 20.0
KEEP_ALIVE_S = 4.0
"""Idle connections are dropped after this: uvicorn, which serves vLLM and SGLang, drops them after 5 s, and a request
that is sent in that moment is lost."""


class Client:
    """Calls to one server.

    Args:
        base_url: up to and including ``/v1``.
        key_env: name of the environment variable with the key, sent as ``Authorization: Bearer``.
        verify_tls: check the server's certificate.
        ca_file: certificates (PEM) to check it with, in place of the system's.

    Attributes:
        base_url: as given, without a trailing slash, a query or a fragment.

    Raises:
        SpecError: the URL or an option is wrong, or the variable is not set.
    """

    def __init__(
        self, base_url: str, *, key_env: str | None = None, verify_tls: bool = True, ca_file: str | None = None
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SpecError(Fault("no URL of a server", field="model", value=base_url, fix="http://host:port/v1"))
        if parts.username is not None or parts.password is not None:
            fix = "leave it out and name the variable that holds the key: --api-key-env NAME"
            raise SpecError(Fault("the URL holds a password, and URLs are logged", field="model", fix=fix))
        self._path = parts.path.rstrip("/")
        self.base_url = urlunsplit((parts.scheme, parts.netloc, self._path, "", ""))
        self._query = parts.query
        self._key_env, self._key = key_env, _key(key_env)
        self._tls = (verify_tls, ca_file)
        if ca_file is not None and not Path(ca_file).is_file():
            raise SpecError(Fault("there is no such file", field="ca_file", value=ca_file))
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "genrm"}
        if self._key:
            self._headers["Authorization"] = f"Bearer {self._key}"
        self._urls: dict[str, Any] = {}
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    async def post(self, path: str, body: bytes) -> Any:
        """The JSON value that the server answers with.

        Args:
            path: behind the base URL; with ``//`` in front, behind the host (``//tokenize``).

        Raises:
            AttemptError: there is none.
        """
        return await self._ask("POST", path, body)

    async def get(self, path: str) -> Any:
        """As :meth:`post`, without a body."""
        return await self._ask("GET", path, None)

    async def aclose(self) -> None:
        """Give the pool back; the last one out closes it."""
        if self._session is not None:
            await _give_back(self._session)
            self._session = None

    async def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        import aiohttp

        session = self._session
        if session is None:
            session = self._session = _take(self._tls)
        try:
            url = self._urls[path]
        except KeyError:
            url = self._urls[path] = self._url(path)
        try:
            async with session.request(method, url, data=body, headers=self._headers, allow_redirects=False) as answer:
                data = await _read(answer)
        except (aiohttp.ClientError, OSError) as error:
            # TimeoutError is an OSError; only the one of making a connection comes from here.
            raise errors.of_exception(error, self._where(method, url)) from None
        if 200 <= answer.status < 300:
            try:
                if data is None:
                    raise ValueError
                return orjson.loads(data)
            except ValueError as error:
                why = f"the answer is not JSON: {error}" if data is not None else f"the answer is over {MAX_BODY} bytes"
                kind = answer.headers.get("Content-Type", "")
                where = self._where(method, url)
                raise errors.of_body(why, data or b"", kind, where, secret=self._key) from None
        raise errors.of_response(
            answer.status,
            answer.headers,
            data or b"",
            self._where(method, url),
            key_env=self._key_env,
            secret=self._key,
        )

    def malformed(self, why: str, data: Any, path: str) -> AttemptError:
        """The fault of an answer that is JSON and not what was asked for."""
        return errors.of_body(
            why, orjson.dumps(data), "", self._where("POST", self._urls.get(path) or self._url(path)), secret=self._key
        )

    def _url(self, path: str) -> Any:
        from yarl import URL

        base = self.base_url
        if path.startswith("//"):
            base, path = base.removesuffix("/v1"), path[1:]
        return URL(base + path + (f"?{self._query}" if self._query else ""), encoded=True)

    def _where(self, method: str, url: Any) -> str:
        return f"{method} {url.origin()}{url.path}"


def _key(name: str | None) -> str:
    if name is None:
        return ""
    value = os.environ.get(name, "").strip()
    if not value:
        # Someone may have given the key itself; names of variables are in capitals, and nothing else is repeated.
        shown = name if name.isupper() else "NAME"
        fix = f"export {shown}=… with the key in it (the option takes the variable's name, not the key)"
        raise SpecError(Fault("the environment variable is not set", field="api_key_env", fix=fix))
    if not value.isascii() or not value.isprintable():
        fault = Fault("the key holds characters that no HTTP header can", field="api_key_env", value=f"${name}")
        raise SpecError(fault)
    return value


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """The body; None when it is too large."""
    length = answer.content_length
    if length is not None and "Content-Encoding" not in answer.headers:
        return await answer.read() if length <= MAX_BODY else None
    pieces, size = [], 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY:
            return None
    return b"".join(pieces)


_Tls = tuple[bool, str | None]
_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Tls, aiohttp.ClientSession]] = WeakKeyDictionary()
_users: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def _take(tls: _Tls) -> aiohttp.ClientSession:
    """The session of this loop for these TLS settings."""
    import aiohttp

    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    session = pools.get(tls)
    if session is None or session.closed:
        verify, ca_file = tls
        try:
            trust: Any = ssl.create_default_context(cafile=ca_file) if verify else False
        except (ssl.SSLError, OSError) as error:
            raise SpecError(Fault(f"no certificates: {error}", field="ca_file", value=str(ca_file))) from None
        session = pools[tls] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            # A server has no business in remembering a judge.
            cookie_jar=aiohttp.DummyCookieJar(),
        )
    _users[session] = _users.get(session, 0) + 1
    return session


async def _give_back(session: aiohttp.ClientSession) -> None:
    _users[session] -= 1
    if _users[session] == 0:
        await session.close()
