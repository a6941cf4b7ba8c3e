"""The studio as a web application: routes, page, health, metrics, and how it starts and stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from telldraw.errors import DataError, InstructionError, TelldrawError, WeightsError
from telldraw.studio import exchange, routes
from telldraw.studio.catalogue import Catalogue
from telldraw.studio.events import Hub
from telldraw.studio.gate import Gate, said
from telldraw.studio.jobs import FullError, TooManyError
from telldraw.studio.metrics import CONTENT_TYPE_LATEST, Metrics
from telldraw.studio.settings import Settings
from telldraw.studio.store import LimitError, NotFoundError, Store
from telldraw.studio.studio import Studio
from telldraw.studio.worker import Limits, Worker

PAGE = Path(__file__).parent / "page"
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (LimitError, 429),
    (InstructionError, 422),
    (DataError, 422),
    (WeightsError, 409),
    (TelldrawError, 400),
)


def build(
    store: Store, catalogue: Catalogue, settings: Settings | None = None, limits: Limits | None = None
) -> FastAPI:
    """The application; its worker starts and stops with it. `app.state.studio` is what the routes share."""
    settings, metrics, hub = settings or Settings(), Metrics(), Hub()
    worker = Worker(store, catalogue, limits, metrics)
    metrics.watch("telldraw_waiting_jobs", "Jobs in the queue", lambda: worker.waiting)
    metrics.watch("telldraw_remembered_states", "States in memory", lambda: worker.remembered)
    metrics.watch("telldraw_event_streams", "Open event streams", lambda: hub.count)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hub.open(asyncio.get_running_loop())
        worker.start()
        yield
        hub.close()
        await asyncio.to_thread(worker.stop)  # what waits is drawn and stored first
        store.close()

    app = FastAPI(
        title="telldraw studio",
        summary="Draw by telling: sessions, turns, pictures.",
        description="A session is a drawing: a tree of turns, and a place in it. Whose it is, a cookie says "
        "(`telldraw_owner`, set on the first answer), or the header `Telldraw-Owner` with 43 letters, digits, - and _ "
        'of your choice; keep them secret. Errors are `{"error": one sentence}`.',
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.studio = Studio(settings, store, catalogue, worker, hub, metrics)
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    app.include_router(exchange.router)
    app.include_router(routes.router)
    _add_pages(app)
    _add_errors(app)
    app.mount("/page", StaticFiles(directory=PAGE))
    return app


def _add_pages(app: FastAPI) -> None:
    studio: Studio = app.state.studio
    fresh = {"cache-control": "no-cache"}

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(PAGE / "index.html", headers=fresh)

    @app.get("/docs", include_in_schema=False)
    def api_page() -> Response:
        return FileResponse(PAGE / "api.html", headers=fresh)

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return FileResponse(PAGE / "icon.svg", media_type="image/svg+xml")

    @app.get("/health", tags=["studio"])
    def health() -> Response:
        """200 while turns can be drawn and stored, else 503 and the reason."""
        try:
            studio.store.alive()
        except SQLAlchemyError:
            return said(503, "the database does not answer")
        if not studio.worker.alive:
            return said(503, "the worker has stopped")
        return Response('{"status":"ok"}', media_type="application/json", headers={"cache-control": "no-store"})

    @app.get("/metrics", tags=["studio"])
    def figures() -> Response:
        """Counters and times, as Prometheus reads them."""
        return Response(studio.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(FullError)
    def full(request: Request, error: Exception) -> Response:
        assert isinstance(error, FullError)
        status = 429 if isinstance(error, TooManyError) else 503
        return said(status, str(error), {"retry-after": str(error.retry)})

    @app.exception_handler(TelldrawError)
    def ours(request: Request, error: Exception) -> Response:
        return said(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        return said(422, f"{'.'.join(map(str, first['loc'][1:])) or 'the request'}: {first['msg'].lower()}")

    @app.exception_handler(HTTPException)
    def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return said(error.status_code, str(error.detail).lower(), dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    def database(request: Request, error: Exception) -> Response:
        return said(503, "the database does not answer; nothing was changed", {"retry-after": "5"})
