"""The door: who may come in, whose drawings they see, how much they may send, what a browser may do with a page."""

import asyncio
import hashlib
import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telldraw.studio.metrics import Metrics
from telldraw.studio.settings import Settings

OWNER, TOKEN = "telldraw_owner", "telldraw_token"
_PAGE = Path(__file__).parent / "page"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_YEAR = 365 * 24 * 3600
_OPEN = ("/health", "/page/", "/enter")
"""What needs no token: it says nothing of anybody's drawings."""
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class TooLargeError(Exception):
    """More was sent than is read."""


class Gate:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not come in; pass the rest on, with its owner in `request.state.owner`."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        cookies = _cookies(headers)
        refusal = self._stranger(scope, headers)
        refusal = refusal or await self._without_token(scope, headers, cookies, receive)
        limit = self.settings.upload if scope["path"] == "/api/import" else self.settings.body
        if refusal is None and int(headers.get("content-length") or 0) > limit:
            refusal = said(413, f"that is more than the {limit:,} bytes this reads")
        owner = headers.get("telldraw-owner") or cookies.get(OWNER, "")
        fresh = not _SECRET.fullmatch(owner)
        owner = secrets.token_urlsafe(32) if fresh else owner
        scope.setdefault("state", {})["owner"] = hashlib.sha256(owner.encode()).hexdigest()
        keep = fresh and (scope["path"] == "/" or scope["path"].startswith("/api/"))
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                out = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    out.setdefault(name, value)
                if keep and refusal is None:
                    out.append("set-cookie", self._cookie(OWNER, owner))
                route = getattr(scope.get("route"), "path", "other")
                self.metrics.requests.labels(scope["method"], route, message["status"]).inc()
            await send(message)

        if refusal is not None:
            return await refusal(scope, receive, sending)
        try:
            await self.app(scope, _bounded(receive, limit), sending)
        except TooLargeError:
            if not started:
                await said(413, f"that is more than the {limit:,} bytes this reads")(scope, receive, sending)

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse what another site's page made a browser ask."""
        host = headers.get("host", "")
        if self.settings.local:
            # a foreign name that was pointed at this machine would otherwise count as the same site
            name = urlsplit(f"//{host}").hostname or ""
            if name not in ("localhost", "127.0.0.1", "::1", self.settings.host, "testserver"):
                return said(400, "this studio answers on this machine's own address only")
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin and urlsplit(origin).netloc != host:
            return said(403, "another site may not ask this")
        return None

    async def _without_token(
        self, scope: Scope, headers: Headers, cookies: dict[str, str], receive: Receive
    ) -> Response | None:
        """None for who shows the token; else the way to show it, or the refusal."""
        token = self.settings.token
        if not token:
            return None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(_same(shown, token) for shown in (bearer, cookies.get(TOKEN, ""))):
            return None
        shown = ""
        if scope["path"] == "/" and scope["query_string"]:
            shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        elif scope["path"] == "/enter" and scope["method"] == "POST":
            shown = parse_qs(await _form(receive)).get("token", [""])[0]
        if _same(shown, token):
            answer = RedirectResponse("/", status_code=303)
            answer.headers.append("set-cookie", self._cookie(TOKEN, token))
            return answer
        if shown or bearer:
            await asyncio.sleep(0.5)  # guessing shall take its time
        if scope["path"] in ("/", "/enter", "/docs"):
            return HTMLResponse((_PAGE / "enter.html").read_text(encoding="utf-8"), 401)
        if scope["path"].startswith(_OPEN):
            return None
        return said(401, "show the token: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})

    def _cookie(self, name: str, value: str) -> str:
        return f"{name}={value}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Strict"


def said(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error, as every one of ours looks: {"error": one sentence}."""
    return JSONResponse({"error": sentence}, status, headers)


def _same(shown: str, token: str) -> bool:
    return bool(shown) and hmac.compare_digest(shown.encode(), token.encode())


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        jar: Any = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


async def _form(receive: Receive) -> str:
    content = b""
    while len(content) < 4096:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body"):
            break
    return content[:4096].decode("latin-1")


def _bounded(receive: Receive, limit: int) -> Receive:
    """`receive` that counts: a length that was announced may be a lie, or missing."""
    got = 0

    async def counting() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            raise TooLargeError
        return message

    return counting
