"""Drawings that come in and go out as files: pictures, animations, sheets, and JSON that imports again."""

import asyncio
import io
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from telldraw.drawing.files import record_for, record_in
from telldraw.drawing.noise import LARGEST_SEED
from telldraw.drawing.session import read
from telldraw.drawing.sheet import Frame, Strip, contact_sheet, enlarge, scale_for, write_animation
from telldraw.errors import DataError, InstructionError, TelldrawError
from telldraw.studio.records import Drawing, Drawn, Head
from telldraw.studio.shapes import DrawingOut, exported
from telldraw.studio.store import LONGEST_NAME, LONGEST_TITLE
from telldraw.studio.studio import Studio, owner_of, studio_of

router = APIRouter(prefix="/api")
_LARGEST = 2048
_MOST_COMPARED = 8
Scale = Annotated[int | None, Query(ge=1, le=32, description="enlarge so many times; 1: the drawer's own pixels")]


class TurnIn(BaseModel):
    """One turn of a drawing to import."""

    number: int = Field(ge=1)
    parent: int = Field(ge=0)
    instruction: str
    seed: int = Field(ge=0, le=LARGEST_SEED)
    name: str | None = Field(None, max_length=LONGEST_NAME)
    candidates: int | None = None
    shown: bool = True


class DrawingIn(BaseModel):
    """A drawing to import, as the export wrote it."""

    telldraw: Literal["drawing"]
    format: Literal[1]
    title: str = Field("", max_length=LONGEST_TITLE)
    weights: str
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    here: int = Field(0, ge=0)
    turns: list[TurnIn]


@router.get("/sessions/{session}/turns/{number}.png", tags=["pictures"], response_class=Response)
async def picture(session: str, number: int, request: Request, scale: Scale = 1) -> Response:
    """The picture after a turn. It never changes, so a browser may keep it."""
    studio, owner = studio_of(request), owner_of(request)
    head = await run_in_threadpool(studio.store.head, session, owner)
    content = await _stored(studio, head, number)
    if scale != 1:
        content = await run_in_threadpool(_enlarged, content, scale, _aspect(studio, head))
    kept = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(content, media_type="image/png", headers=kept)


@router.get("/sessions/{session}/compare.png", tags=["pictures"], response_class=Response)
async def compare(
    session: str, request: Request, turns: Annotated[list[int], Query()], scale: Scale = None
) -> Response:
    """Turns side by side, each over its number, instruction and seed."""
    studio, owner = studio_of(request), owner_of(request)
    if not 2 <= len(turns) <= _MOST_COMPARED:
        raise TelldrawError(f"compare 2 to {_MOST_COMPARED} turns: ?turns=1&turns=2")
    head = await run_in_threadpool(studio.store.head, session, owner)
    asked = [await run_in_threadpool(studio.store.turn, session, number) for number in turns]
    frames = await _frames(studio, head, asked, scale)
    frames = [Frame(f.image, f.mark, f"{f.caption} (seed {t.seed})") for f, t in zip(frames, asked, strict=True)]
    return _file(await run_in_threadpool(_png, [Strip("", frames)]), "image/png", head, "compare.png")


@router.get("/sessions/{session}/export/picture.png", tags=["export"], response_class=Response)
async def export_picture(session: str, request: Request, turn: int | None = None, scale: Scale = None) -> Response:
    """The picture, enlarged, with its shape; it remembers its words: `telldraw draw --continue` reads it."""
    studio, drawing, number = await _asked(session, request, turn)
    content = await _stored(studio, drawing.head, number)
    info = record_for(drawing.head.weights, drawing.history(number))
    made = await run_in_threadpool(_enlarged, content, scale, _aspect(studio, drawing.head), info)
    return _file(made, "image/png", drawing.head, "picture.png")


@router.get("/sessions/{session}/export/turns.{kind}", tags=["export"], response_class=Response)
async def export_animation(
    session: str, kind: Literal["gif", "webp"], request: Request, turn: int | None = None, scale: Scale = None
) -> Response:
    """The turns that led to a picture, one after the other."""
    frames, drawing = await _path(session, request, turn, scale)
    stream = io.BytesIO()
    await run_in_threadpool(write_animation, frames, stream, kind == "gif")
    return _file(stream.getvalue(), f"image/{kind}", drawing.head, f"turns.{kind}")


@router.get("/sessions/{session}/export/sheet.png", tags=["export"], response_class=Response)
async def export_sheet(session: str, request: Request, turn: int | None = None, scale: Scale = None) -> Response:
    """The turns that led to a picture on one page, the instruction under each."""
    frames, drawing = await _path(session, request, turn, scale)
    return _file(await run_in_threadpool(_png, [Strip("", frames)]), "image/png", drawing.head, "sheet.png")


@router.get("/sessions/{session}/export/drawing.json", tags=["export"])
def export_json(session: str, request: Request) -> Response:
    """All instructions and seeds: enough to draw every picture again, here or elsewhere."""
    drawing = studio_of(request).store.open(session, owner_of(request))
    text = json.dumps(exported(drawing), indent=1, ensure_ascii=False) + "\n"
    return _file(text.encode(), "application/json", drawing.head, "drawing.json")


_BODY = {"application/json": {"schema": DrawingIn.model_json_schema()}, "image/png": {"schema": {"type": "string"}}}


@router.post(
    "/import",
    tags=["export"],
    status_code=201,
    response_model=DrawingOut,
    openapi_extra={"requestBody": {"content": _BODY, "required": True}},
)
async def import_drawing(request: Request, weights: str | None = None) -> Any:
    """Take in a drawing: the JSON of an export, or a PNG that remembers. `weights` has it drawn by others.

    It is stored at once; its pictures are drawn in the background, with `progress` events.
    """
    studio, owner = studio_of(request), owner_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "image/png"):
        return JSONResponse({"error": "a drawing comes as application/json or image/png"}, 415)
    content = await request.body()
    key = await run_in_threadpool(_take, studio, owner, kind, content, weights)
    head = await run_in_threadpool(studio.store.head, key, owner)
    task = asyncio.ensure_future(studio.fill(head))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # no room: drawn when it is looked at
    return await run_in_threadpool(studio.whole, key, owner)


def _take(studio: Studio, owner: str, kind: str, content: bytes, weights: str | None) -> str:
    given = _from_png(content, studio.settings.side) if kind == "image/png" else _from_json(content)
    model = studio.catalogue[weights or given.weights]
    if len(given.turns) > studio.worker.limits.turns:
        raise DataError(
            f"that drawing has {len(given.turns):,} turns, this studio keeps {studio.worker.limits.turns:,}"
        )
    names = [turn.name for turn in given.turns if turn.name]
    if [turn.number for turn in given.turns] != list(range(1, len(given.turns) + 1)) or len(set(names)) != len(names):
        raise DataError("that drawing is damaged: its turns are numbered from 1 on, and no two have one name")
    history = []
    for turn in given.turns:
        if turn.parent >= turn.number:
            raise DataError(f"that drawing is damaged: turn {turn.number} comes before the turn it was told to")
        try:
            read(model.vocabulary, studio.check(turn.instruction))
        except InstructionError as error:
            raise InstructionError(f"turn {turn.number}: {error}") from None
        history.append(Drawn(depth=0, **turn.model_dump()))
    here = min(given.here, len(history))
    return studio.store.create(
        owner,
        model.name,
        model.checksum,
        seed=given.seed,
        title=given.title,
        history=history,
        here=here,
        most=studio.settings.drawings,
    )


def _from_json(content: bytes) -> DrawingIn:
    try:
        return DrawingIn.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"that is no drawing of telldraw: {where}: {first['msg'].lower()}") from None


def _from_png(content: bytes, side: int) -> DrawingIn:
    """What a PNG remembers. Only its header is read: a picture that would fill the memory is never unpacked."""
    sizes = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        raise DataError("that is no PNG")
    if not 0 < max(sizes) <= side:
        raise DataError(f"that picture is {sizes[0]:,} x {sizes[1]:,} pixels, the most is {side:,} x {side:,}")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            record = record_in(image, "that picture")
    except TelldrawError as error:
        raise DataError(str(error)) from None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
        raise DataError("that picture is damaged") from None
    turns = [
        {"number": number, "parent": number - 1, "instruction": turn.instruction, "seed": turn.seed}
        for number, turn in enumerate(record.history, start=1)
    ]
    seed = record.history[0].seed if record.history else 0
    document = {"telldraw": "drawing", "format": 1, "weights": record.weights, "seed": seed, "here": len(turns)}
    return _from_json(json.dumps(document | {"turns": turns}).encode())


async def _stored(studio: Studio, head: Head, number: int) -> bytes:
    """The PNG of a turn; drawn now if it was not yet."""
    content = await run_in_threadpool(studio.store.picture, head.id, number)
    if content is None:
        studio.catalogue.of(head.weights, head.checksum)
        await studio.fill(head)
        content = await run_in_threadpool(studio.store.picture, head.id, number)
    if content is None:
        raise TelldrawError(f"the studio is stopping; turn {number} is drawn when it is back")
    return content


async def _asked(session: str, request: Request, turn: int | None) -> tuple[Studio, Drawing, int]:
    studio = studio_of(request)
    drawing = await run_in_threadpool(studio.store.open, session, owner_of(request))
    number = drawing.head.here if turn is None else turn
    await run_in_threadpool(studio.store.turn, session, number)
    return studio, drawing, number


async def _path(session: str, request: Request, turn: int | None, scale: int | None) -> tuple[list[Frame], Drawing]:
    studio, drawing, number = await _asked(session, request, turn)
    path = drawing.path(number) or [drawing.turns[0]]
    return await _frames(studio, drawing.head, path, scale), drawing


async def _frames(studio: Studio, head: Head, turns: Sequence[Drawn], scale: int | None) -> list[Frame]:
    pictures = [await _stored(studio, head, turn.number) for turn in turns]
    aspect = _aspect(studio, head)

    def made() -> list[Frame]:
        opened = [Image.open(io.BytesIO(content)) for content in pictures]
        factor = _factor(opened[0].width, scale)
        return [
            Frame(enlarge(image.convert("RGB"), factor, aspect), str(turn.depth), turn.instruction)
            for image, turn in zip(opened, turns, strict=True)
        ]

    return await run_in_threadpool(made)


def _aspect(studio: Studio, head: Head) -> float:
    model = studio.catalogue.models.get(head.weights)
    return model.aspect if model else 1.0


def _factor(width: int, scale: int | None) -> int:
    return max(1, min(scale_for(width, scale), _LARGEST // width))


def _enlarged(content: bytes, scale: int | None, aspect: float, info: Any = None) -> bytes:
    image = Image.open(io.BytesIO(content))
    stream = io.BytesIO()
    options = {"pnginfo": info} if info is not None else {}
    enlarge(image.convert("RGB"), _factor(image.width, scale), aspect).save(stream, "PNG", compress_level=4, **options)
    return stream.getvalue()


def _png(strips: list[Strip]) -> bytes:
    stream = io.BytesIO()
    contact_sheet(strips).save(stream, "PNG")
    return stream.getvalue()


def _file(content: bytes, kind: str, head: Head, name: str) -> Response:
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in head.title.lower()).strip("-")[:48]
    named = f"{words or 'telldraw'}-{name}"
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{named}"'})
