"""The HTTP API of drawings: sessions, turns, places in them, and what happens as it happens."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from telldraw.drawing.session import read
from telldraw.errors import InstructionError, TelldrawError
from telldraw.studio.jobs import Job
from telldraw.studio.shapes import (
    Again,
    Candidates,
    DrawingOut,
    Drew,
    HeadOut,
    Name,
    NewDrawing,
    Place,
    Reading,
    Steps,
    Tell,
    Title,
    Told,
    TurnOut,
    head_out,
)
from telldraw.studio.store import LimitError
from telldraw.studio.studio import owner_of, studio_of

router = APIRouter(prefix="/api")


@router.get("/studio", tags=["studio"])
def about(request: Request) -> dict[str, Any]:
    """What this studio can do: its pages, its weights with licence and figures, its limits."""
    studio = studio_of(request)
    limits = {"instruction": studio.settings.instruction, "candidates": studio.settings.candidates}
    return {
        "pages": studio.catalogue.pages(),
        "weights": [model.describe() for model in studio.catalogue.models.values()],
        "default": studio.catalogue.default,
        "limits": limits | {"upload": studio.settings.upload},
    }


@router.post("/weights/{name}/read", tags=["studio"], response_model=Reading)
def reading(name: str, told: Told, request: Request) -> dict[str, Any]:
    """How a drawer would read an instruction: the words it does not know, and where they stand. Draws nothing."""
    studio = studio_of(request)
    model, problem = studio.catalogue[name], ""
    try:
        read(model.vocabulary, studio.check(told.instruction))
    except InstructionError as error:
        problem = str(error)
    return {"unknown": model.marks(told.instruction[: studio.settings.instruction]), "problem": problem}


@router.get("/sessions", tags=["sessions"], response_model=list[HeadOut])
def sessions(request: Request) -> list[dict[str, Any]]:
    """Your drawings, the last changed first."""
    return [head_out(head) for head in studio_of(request).store.all_of(owner_of(request))]


@router.post("/sessions", tags=["sessions"], status_code=201, response_model=DrawingOut)
def begin(new: NewDrawing, request: Request) -> dict[str, Any]:
    """Begin a drawing: a blank canvas."""
    studio = studio_of(request)
    model = studio.catalogue[new.weights or studio.catalogue.default]
    key = studio.store.create(
        owner_of(request), model.name, model.checksum, seed=new.seed, title=new.title, most=studio.settings.drawings
    )
    return studio.whole(key, owner_of(request))


@router.get("/sessions/{session}", tags=["sessions"], response_model=DrawingOut)
def session(session: str, request: Request) -> dict[str, Any]:
    """A drawing with its whole tree of turns."""
    return studio_of(request).whole(session, owner_of(request))


@router.patch("/sessions/{session}", tags=["sessions"], status_code=204)
def rename(session: str, title: Title, request: Request) -> None:
    """Give a drawing another title."""
    studio_of(request).store.rename(session, owner_of(request), title.title)


@router.delete("/sessions/{session}", tags=["sessions"], status_code=204)
async def forget(session: str, request: Request) -> None:
    """Forget a drawing and all its turns, for ever."""
    studio, owner = studio_of(request), owner_of(request)
    head = await run_in_threadpool(studio.store.head, session, owner)
    await studio.ask(Job(head.id, head.weights, "move", action=partial(studio.store.delete, session, owner)))


@router.post("/sessions/{session}/turns", tags=["turns"], status_code=201, response_model=Drew)
async def tell(session: str, told: Tell, request: Request, response: Response) -> dict[str, Any]:
    """Draw one more turn. Answered when it is drawn and stored; 200 if the same was drawn here before."""
    studio = studio_of(request)
    head = await run_in_threadpool(studio.mine, session, owner_of(request))
    job = Job(head.id, head.weights, "tell", studio.check(told.instruction), told.parent, told.seed, key=told.key)
    return _new(await studio.draw(job), response)


@router.post("/sessions/{session}/candidates", tags=["turns"], status_code=201, response_model=Drew)
async def candidates(session: str, told: Candidates, request: Request, response: Response) -> dict[str, Any]:
    """Draw one instruction several times, with as many seeds. The drawing stays where it is until one is picked."""
    studio = studio_of(request)
    head = await run_in_threadpool(studio.mine, session, owner_of(request))
    if told.count > studio.settings.candidates:
        raise LimitError(f"at most {studio.settings.candidates} candidates are drawn at once, not {told.count}")
    instruction = studio.check(told.instruction)
    job = Job(head.id, head.weights, "candidates", instruction, told.parent, told.seed, told.count, told.key)
    return _new(await studio.draw(job), response)


@router.post("/sessions/{session}/again", tags=["turns"], status_code=201, response_model=Drew)
async def again(session: str, what: Again, request: Request, response: Response) -> dict[str, Any]:
    """Draw a turn anew beside itself, with another seed."""
    studio = studio_of(request)
    head = await run_in_threadpool(studio.mine, session, owner_of(request))
    job = Job(head.id, head.weights, "again", turn=what.turn, seed=what.seed, key=what.key)
    return _new(await studio.draw(job), response)


@router.post("/sessions/{session}/undo", tags=["places"])
async def undo(session: str, request: Request, how: Steps | None = None) -> dict[str, Any]:
    """Go back. Nothing is forgotten."""
    studio, owner = studio_of(request), owner_of(request)
    head = await run_in_threadpool(studio.store.head, session, owner)
    return await studio.move(head, partial(studio.store.undo, session, owner, how.steps if how else 1))


@router.post("/sessions/{session}/redo", tags=["places"])
async def redo(session: str, request: Request, how: Steps | None = None) -> dict[str, Any]:
    """Go forth again."""
    studio, owner = studio_of(request), owner_of(request)
    head = await run_in_threadpool(studio.store.head, session, owner)
    return await studio.move(head, partial(studio.store.redo, session, owner, how.steps if how else 1))


@router.post("/sessions/{session}/goto", tags=["places"])
async def goto(session: str, place: Place, request: Request) -> dict[str, Any]:
    """Go to any turn; tell something else there, and a branch grows."""
    studio, owner = studio_of(request), owner_of(request)
    head = await run_in_threadpool(studio.store.head, session, owner)
    return await studio.move(head, partial(studio.store.goto, session, owner, place.turn))


@router.post("/sessions/{session}/pick", tags=["places"])
async def pick(session: str, place: Place, request: Request) -> dict[str, Any]:
    """Pick a candidate: it becomes a turn like any other, and the drawing goes there."""
    return await goto(session, place, request)


@router.put("/sessions/{session}/turns/{number}/name", tags=["places"], status_code=204)
def name(session: str, number: int, what: Name, request: Request) -> None:
    """Name a turn, which makes it a branch that one finds again; or take its name away."""
    studio, called = studio_of(request), (what.name or "").strip() or None
    if called is not None and called.isdecimal():
        raise TelldrawError(f"a branch needs a name that is not a number, not {called!r}")
    studio.store.name(session, owner_of(request), number, called)
    studio.hub.publish(session, "named", {"turn": number, "name": called})


@router.get("/sessions/{session}/turns/{number}", tags=["turns"], response_model=TurnOut)
def turn(session: str, number: int, request: Request) -> dict[str, Any]:
    """One turn: its instruction, its seed, the words that were not known."""
    studio = studio_of(request)
    return studio.turn(studio.store.head(session, owner_of(request)), studio.store.turn(session, number))


@router.get("/sessions/{session}/events", tags=["sessions"])
async def events(session: str, request: Request) -> StreamingResponse:
    """What happens in a drawing, as server-sent events: drew, moved, named, progress, missed (then read it anew)."""
    studio, owner = studio_of(request), owner_of(request)
    await run_in_threadpool(studio.store.head, session, owner)
    if studio.hub.of(owner) >= studio.settings.streams:
        raise LimitError(f"{studio.settings.streams} event streams are open already, the most for one person")
    quiet = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(studio.hub.listen(session, owner), media_type="text/event-stream", headers=quiet)


def _new(drew: dict[str, Any], response: Response) -> dict[str, Any]:
    response.status_code = 201 if drew["new"] else 200
    return drew
