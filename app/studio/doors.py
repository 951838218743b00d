"""What of Gradio's server the studio lets through: few addresses, no files, checked messages.

Gradio serves and fetches files by paths and addresses that a message names, and offers routes for
recording, editing and sharing. None is needed here: pictures travel in messages or by our own
routes, so only listed addresses are answered, and a message that names a path is refused.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.access import Receive, Scope, Send
from app.routes import UPLOAD_LIMIT
from app.sentences import whole
from workbench.data import uploads
from workbench.errors import BadInput

MESSAGE_LIMIT = 16 * 2**20
NESTING_LIMIT = 64
_NAME = r"[A-Za-z0-9_.-]+"
READ = re.compile(
    rf"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|((assets|static|svelte)(/{_NAME})+)"
    rf"|gradio_api/(info/?|app_id/?|startup-events|queue/data|heartbeat/{_NAME}|call/{_NAME}/{_NAME})"
    r"|api/(health|picture|thumbnail|(script|export)/[^/]+))"
)
WRITE = re.compile(
    rf"/(api/upload|gradio_api/(upload|cancel|reset/?|queue/join|(run|call)/{_NAME}/?))"
)
STREAM = "/gradio_api/queue/data"
_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_POLICY = (
    "default-src 'self'",
    # Gradio builds the function that mounts a component from its text.
    "script-src 'self' blob: 'unsafe-eval'{scripts}",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors {parents}",
)
LOCAL_PAGES = "'self' http://127.0.0.1:* http://localhost:*"


class Refused(Exception):
    """A request that ends here, with its answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = PlainTextResponse(sentence + "\n", status)


class Doors:
    """Let listed addresses through to Gradio; check what goes in, and state what a page may do."""

    def __init__(self, app: Any, framed: bool = False) -> None:
        """`framed` lets pages of this machine, a notebook say, show the studio in a frame."""
        self.app = app
        self.parents = LOCAL_PAGES if framed else "'none'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._let_in(scope, receive, self._quiet(send))
        except Refused as refused:
            await refused.answer(scope, receive, send)
        except (asyncio.CancelledError, Exception) as error:
            # The server stops while a page listens, or the page is gone; both end quietly.
            if isinstance(error, Exception) and not _is_gone(scope, error):
                raise
            with contextlib.suppress(RuntimeError):
                await send({"type": "http.response.body", "body": b""})

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if method in {"GET", "HEAD"} and READ.fullmatch(path):
            if path == "/":
                await self._page(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        elif method == "POST" and WRITE.fullmatch(path):
            if path == "/gradio_api/upload":
                await (await upload(Request(scope, receive)))(scope, receive, send)
            elif path.startswith("/gradio_api/"):
                await self.app(*await checked(scope, receive), send)
            else:
                await self.app(scope, receive, send)
        else:
            raise Refused(404, "There is nothing at this address.")

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page, with the hashes of its own inline scripts in the policy."""
        kept = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        start: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = [*start["headers"], (b"content-security-policy", self.policy(bytes(body)))]
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": bytes(body)})

        await self.app({**scope, "headers": kept}, receive, collect)

    def policy(self, page: bytes = b"") -> bytes:
        """The Content-Security-Policy of a page with these inline scripts."""
        inline = _SCRIPT.findall(page.decode("utf-8", "replace"))
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in inline]
        scripts = "".join(f" 'sha256-{each.decode()}'" for each in hashes)
        return "; ".join(_POLICY).format(scripts=scripts, parents=self.parents).encode()

    def _quiet(self, send: Send) -> Send:
        """Drop Gradio's leave for other origins to read."""

        async def wrapped(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    pair
                    for pair in message.get("headers", [])
                    if not pair[0].lower().startswith(b"access-control-")
                ]
                message = {**message, "headers": kept}
            await send(message)

        return wrapped


def _is_gone(scope: Scope, error: Exception) -> bool:
    """Tell whether Gradio's stream ended because nobody has its session any more.

    A page that is left while two streams are open ends its session twice; a stream of a session
    that has ended tells its page so, and then raises what cannot be answered any more.
    """
    if scope["path"] != STREAM:
        return False
    session = Request(scope).query_params.get("session_hash")
    cause = error.__cause__
    told = isinstance(cause, HTTPException) and cause.status_code == 404
    return (isinstance(error, RuntimeError) and told) or (
        isinstance(error, KeyError) and error.args == (session,)
    )


async def checked(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Read a JSON message whole, refuse what names a file, and pass on exactly what was checked.

    Raises:
        Refused: too long, not JSON, nested too deeply, or a path in it.
    """
    raw = await _body(Request(scope, receive), MESSAGE_LIMIT, "message")
    try:
        message = json.loads(raw or b"{}", parse_constant=_not_finite)
    except (ValueError, RecursionError):
        raise Refused(400, "The message is not JSON with finite numbers.") from None
    clean = json.dumps(_without_files(message)).encode()
    dropped = {b"content-length", b"transfer-encoding"}
    headers = [pair for pair in scope["headers"] if pair[0] not in dropped]
    headers.append((b"content-length", str(len(clean)).encode()))
    state = {"sent": False}

    async def again() -> Any:
        if state["sent"]:
            return await receive()  # tells when the visitor leaves
        state["sent"] = True
        return {"type": "http.request", "body": clean, "more_body": False}

    return {**scope, "headers": headers}, again


def _not_finite(name: str) -> float:
    raise ValueError(name)


def _without_files(value: Any, depth: int = 0) -> Any:
    """The message; a file that was uploaded here becomes its id, any other path is refused."""
    if depth > NESTING_LIMIT:
        raise Refused(400, f"The message is nested more than {NESTING_LIMIT} deep.")
    if isinstance(value, dict):
        if "path" in value:
            path = value["path"]
            if isinstance(path, str) and uploads.is_upload(path) and not value.get("url"):
                return path
            raise Refused(
                403, "A message cannot name a path; upload the file with handle_file instead."
            )
        return {name: _without_files(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        if any(type(each) in (dict, list) for each in value):
            return [_without_files(each, depth + 1) for each in value]
    return value


async def upload(request: Request) -> Response:
    """Keep the one picture of a form as the dashboard keeps uploads; answers its id in a list.

    This stands in for Gradio's own route, so that `gradio_client.handle_file` works: the "path"
    that the client then sends back is an unguessable id, not a path.
    """
    try:
        raw = await _body(request, UPLOAD_LIMIT + 2**16, "upload")
    except Refused as refused:
        return refused.answer

    async def once() -> AsyncIterator[bytes]:
        yield raw
        yield b""

    headers = Headers(scope=request.scope)
    if not headers.get("content-type", "").startswith("multipart/form-data"):
        return PlainTextResponse("An upload is a form with one file.\n", 400)
    try:
        form = await MultiPartParser(headers, once(), max_files=1, max_fields=0).parse()
    except (MultiPartException, ValueError, KeyError):
        return PlainTextResponse("An upload is a form with one file.\n", 400)
    files = [part for _, part in form.multi_items() if not isinstance(part, str)]
    content = await files[0].read() if len(files) == 1 else b""
    await form.close()
    try:
        return JSONResponse([await run_in_threadpool(uploads.store, content)])
    except BadInput as error:
        return PlainTextResponse(f"{whole(str(error))}\n", 422)


async def _body(request: Request, limit: int, what: str) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise Refused(413, f"The {what} has more than {limit // 2**20} MB; make it smaller.")
    return bytes(content)
