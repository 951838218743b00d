"""Who may talk to the server: host names, origins, the token, and the headers of every answer."""

import asyncio
import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from workbench.errors import BadInput

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TOKEN_MINIMUM = 16
SESSION_SECONDS = 7 * 24 * 3600
TICKET_SECONDS = 60
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OPEN_PATHS = frozenset({"/login", "/api/health"})
_PATH_LIMIT, _QUERY_LIMIT, _LOGIN_LIMIT = 2_048, 40_000, 4_096
# Control letters, backslashes, drives, empty or dotted segments, and anything encoded twice.
_ODD_PATH = re.compile(
    r"[\x00-\x1f\\\ufffd:]|//|/\.{2,}(/|$)|\.{2,}/|%(2e|2f|5c|00)", re.IGNORECASE
)
_KEYS = frozenset({"token", "ticket"})
_SAFE_METHODS = frozenset({"GET", "HEAD"})

LOGIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Mask workbench</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;display:grid;
place-items:center;min-height:90vh;margin:0;padding:1rem}}form{{display:grid;gap:.75rem;
width:min(22rem,100%)}}input,button{{font:inherit;padding:.6rem .8rem;border-radius:8px;
border:1px solid #8a938f}}button{{background:#0f766e;color:#fff;border:0;cursor:pointer}}
p{{margin:0}}[role=alert]{{color:#b3261e}}</style>
<form method="post" action="/login"><h1>Mask workbench</h1>
<label for="token">Token (the value of WORKBENCH_TOKEN on the server)</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<input type="hidden" name="next" value="{target}">{message}<button>Open</button></form></html>"""


def check_binding(host: str, token: str | None) -> None:
    """Refuse an address that other machines can reach without a token.

    Raises:
        BadInput: a wide address without a token, or a token too short to be one.
    """
    if token is not None and len(token) < TOKEN_MINIMUM:
        raise BadInput(
            f"WORKBENCH_TOKEN has {len(token)} characters, but at least {TOKEN_MINIMUM} are "
            "needed; make one with: python -c 'import secrets; print(secrets.token_urlsafe())'."
        )
    if not is_loopback(host) and token is None:
        raise BadInput(
            f"Host {host} can be reached from other machines and no token is set; set the "
            "environment variable WORKBENCH_TOKEN to a secret of at least "
            f"{TOKEN_MINIMUM} characters, or keep --host 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address is reachable from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split_host(host: str | None) -> tuple[str, int | None] | None:
    """Split a Host header into name and port; None when it is not a plain `name[:port]`."""
    if host is None:
        return None
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    extra = parts.username or parts.password or parts.path or parts.query or parts.fragment
    return None if name is None or extra else (name.lower().rstrip("."), port)


def make_ticket(token: str) -> str:
    """A text that opens one session within a minute, for another server of the same token.

    A server hands it to a visitor who is logged in and goes on to the other one: the token itself
    never stands in an address.
    """
    plain = f"{int(time.time()) + TICKET_SECONDS}.{secrets.token_urlsafe(16)}"
    return f"{plain}.{_signed(plain, token)}"


def _signed(plain: str, token: str) -> str:
    return hmac.new(token.encode(), f"ticket {plain}".encode(), hashlib.sha256).hexdigest()


@dataclass
class Gate:
    """The server's rules, shared by the middleware and the login page.

    A browser that rebinds a foreign name to this address sends that name as Host, so the name must
    be known: loopback names, plain addresses when bound wide, this machine's name, and `extra`.
    With `framed` the content policy alone says who may show a page in a frame.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    token: str | None = None
    extra_hosts: Iterable[str] = ()
    content_policy: str = "default-src 'self'"
    framed: bool = False
    _sessions: dict[str, float] = field(default_factory=dict[str, float])
    _used: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def cookie(self) -> str:
        """Name of the session cookie; cookies ignore ports, so the port is part of the name."""
        return f"workbench_{self.port}"

    def knows_host(self, header: str | None) -> bool:
        """Tell whether a Host header names this server."""
        parts = split_host(header)
        if parts is None:
            return False
        name = parts[0]
        if name in LOOPBACK or name in {extra.lower() for extra in self.extra_hosts}:
            return True
        if is_loopback(self.host):
            return False
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            machine = socket.gethostname().lower()
            return name in {self.host.lower(), machine, f"{machine}.local"}

    def same_origin(self, headers: Headers) -> bool:
        """Tell whether a request that changes something comes from our own pages.

        Programs send no Origin and pass; browsers always send one, `null` included.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or parts.path or parts.query:
            return False
        standard = {"http": 80, "https": 443}[parts.scheme]
        theirs, ours = split_host(parts.netloc), split_host(headers.get("host"))
        if theirs is None or ours is None or theirs[0] != ours[0]:
            return False
        return (theirs[1] or standard) == (ours[1] or standard)

    def accepts(self, token: str) -> bool:
        """Compare a token in constant time."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def accepts_ticket(self, ticket: str) -> bool:
        """Tell whether a ticket was made with our token, a moment ago, and is used first here."""
        plain, _, signature = ticket.rpartition(".")
        end = plain.partition(".")[0]
        now = time.time()
        if self.token is None or not (end.isascii() and end.isdigit() and len(end) < 12):
            return False
        known = hmac.compare_digest(signature.encode(), _signed(plain, self.token).encode())
        if not known or int(end) < now or plain in self._used:
            return False
        self._used = {old: until for old, until in self._used.items() if until >= now}
        self._used[plain] = float(end)
        return True

    def open_session(self) -> str:
        """Issue a session secret; only its hash is kept."""
        now = time.time()
        self._sessions = {key: end for key, end in self._sessions.items() if end > now}
        secret = secrets.token_urlsafe(32)
        self._sessions[hashlib.sha256(secret.encode()).hexdigest()] = now + SESSION_SECONDS
        return secret

    def is_known(self, headers: Headers) -> bool:
        """Tell whether a request carries a live session, or none is asked for."""
        if self.token is None:
            return True
        secret = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        end = self._sessions.get(hashlib.sha256(secret.encode()).hexdigest())
        return end is not None and end > time.time()

    def welcome(self, target: str, secure: bool) -> Response:
        """Answer a right token: a cookie the page cannot read, and a clean address."""
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            self.cookie, self.open_session(), max_age=SESSION_SECONDS,
            httponly=True, samesite="lax", secure=secure,
        )  # fmt: skip
        return response


class AccessMiddleware:
    """Check every request and websocket before anything else sees it."""

    def __init__(self, app: Any, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with a short plain answer, or pass on with the security headers added."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        refusal = await self._refusal(scope, receive)
        if refusal is None:
            await self.app(scope, receive, self._with_headers(scope, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, self._with_headers(scope, send))

    async def _refusal(self, scope: Scope, receive: Receive) -> Response | None:
        headers, gate = Headers(scope=scope), self.gate
        if not gate.knows_host(headers.get("host")):
            return _plain(403, "This host name is not known here; open http://127.0.0.1 instead.")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if changes and not gate.same_origin(headers):
            return _plain(403, "Requests from other sites are refused.")
        embedded = headers.get("sec-fetch-mode", "navigate") != "navigate"
        if embedded and headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return _plain(403, "Other sites cannot embed or read this server.")
        path, query = scope["path"], scope.get("query_string", b"")
        if len(path) > _PATH_LIMIT or len(query) > _QUERY_LIMIT:
            return _plain(414, "This address is too long.")
        if _ODD_PATH.search(path):
            return _plain(400, "This address is not valid.")
        if gate.token is None:
            return None
        return await self._identify(scope, receive, headers)

    async def _identify(self, scope: Scope, receive: Receive, headers: Headers) -> Response | None:
        gate, path = self.gate, scope["path"]
        if scope["type"] == "websocket":
            return None if gate.is_known(headers) else _plain(403, "Log in first.")
        if path == "/login":
            return await _login(gate, Request(scope, receive))
        query = scope.get("query_string", b"").decode("latin-1")
        pairs = parse_qsl(query, keep_blank_values=True)
        given = [(name, value) for name, value in pairs if name in _KEYS]
        if given and scope["method"] in _SAFE_METHODS:
            rest = urlencode([pair for pair in pairs if pair[0] not in _KEYS])
            clean = _local(quote(path) + (f"?{rest}" if rest else ""))
            name, key = given[0]
            if gate.accepts(key) if name == "token" else gate.accepts_ticket(key):
                return gate.welcome(clean, scope.get("scheme") == "https")
            await asyncio.sleep(0.3)
            return RedirectResponse(f"/login?{urlencode({'next': clean})}", status_code=303)
        if path in _OPEN_PATHS or gate.is_known(headers):
            return None
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind == "Bearer":  # a program that calls the studio's endpoints
            if gate.accepts(secret):
                return None
            await asyncio.sleep(0.3)
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            target = _local(path + (f"?{query}" if query else ""))
            return RedirectResponse(f"/login?{urlencode({'next': target})}", status_code=303)
        return _plain(401, "A token is needed; open /login in the browser.")

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        host = Headers(scope=scope).get("host")

        async def wrapped(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                extra = self._headers(host if self.gate.knows_host(host) else "")
                added = [pair for pair in extra if pair[0] not in present]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        return wrapped

    def _headers(self, host: str | None) -> list[tuple[bytes, bytes]]:
        # Not every browser counts a websocket of the same host as 'self'.
        sockets = f"connect-src 'self' ws://{host} wss://{host}" if host else "connect-src 'self'"
        pairs = {
            "content-security-policy": f"{self.gate.content_policy}; {sockets}",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        if self.gate.framed:
            del pairs["x-frame-options"]
        return [(name.encode(), value.encode()) for name, value in pairs.items()]


async def _login(gate: Gate, request: Request) -> Response:
    if request.method in _SAFE_METHODS:
        return _form(_local(request.query_params.get("next", "/")))
    if request.method != "POST":
        return _plain(405, "Only GET and POST are known here.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LOGIN_LIMIT:
            return _plain(413, "This form is too long.")
    fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    target = _local(fields.get("next", "/"))
    if gate.accepts(fields.get("token", "")):
        return gate.welcome(target, request.url.scheme == "https")
    await asyncio.sleep(0.3)
    return _form(target, "This token is not the server's; look at WORKBENCH_TOKEN there.", 403)


def _form(target: str, message: str = "", status: int = 200) -> Response:
    alert = f'<p role="alert">{message}</p>' if message else ""
    escaped = target.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return HTMLResponse(LOGIN_PAGE.format(target=escaped, message=alert), status)


def _local(target: str) -> str:
    """Keep a redirect on this server: `//other` and absolute addresses become `/`."""
    plain = target.startswith("/") and target[1:2] not in {"/", "\\"}
    return target if plain and not any(ord(letter) < 32 for letter in target) else "/"


def _plain(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence + "\n", status)
