"""Drawings that last: trees of turns in SQLite or PostgreSQL. What is stored replays every picture.

A picture is a cache: weights, instructions and seeds make it again. A turn is written, and forced to disk, before
anybody is told of it; so whatever was acknowledged is there after the process was killed.
"""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from telldraw.drawing.session import Turn
from telldraw.errors import TelldrawError
from telldraw.studio.records import Drawing, Drawn, Head, NewTurn
from telldraw.studio.tables import connect, drawings, turns

_WITHOUT_PICTURE = [turns.c[field] for field in Drawn.__dataclass_fields__]
_COUNT = select(func.max(turns.c.number)).where(turns.c.drawing == drawings.c.id).scalar_subquery()
_HEADS = select(drawings, _COUNT.label("count"))
# the statements of every turn, built once: building them costs more than running them
_HEAD = _HEADS.where(drawings.c.id == bindparam("drawing"))
_HEAD_LOCKED = _HEAD.with_for_update(of=drawings)
_TURNS = select(*_WITHOUT_PICTURE).where(turns.c.drawing == bindparam("drawing"))
_TURN = _TURNS.where(turns.c.number == bindparam("number"))
_CHILDREN = _TURNS.where(turns.c.parent == bindparam("parent")).order_by(turns.c.number)
_SAME = _TURNS.where(
    turns.c.parent == bindparam("parent"),
    turns.c.seed == bindparam("seed"),
    turns.c.instruction == bindparam("instruction"),
)
_MOVE = (
    update(drawings)
    .where(drawings.c.id == bindparam("drawing"))
    .values(here=bindparam("to"), undone=bindparam("back"), changed=bindparam("now"))
)
_INSERT = insert(turns)
LONGEST_TITLE, LONGEST_NAME = 120, 60


class NotFoundError(TelldrawError):
    """There is no such drawing or turn, or it is somebody else's: the two are not told apart."""


class LimitError(TelldrawError):
    """A limit was reached; the sentence says which, and what to do."""


class Store:
    """All drawings in one database. Every method is one transaction; any thread may call it."""

    def __init__(self, url: str) -> None:
        """Open the database. Raises TelldrawError when it cannot be."""
        self.engine = connect(url)
        self._writing = self.engine.execution_options(writes=True)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def alive(self) -> bool:
        """Whether the database answers."""
        with self.engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(drawings)).scalar() is not None

    # Drawings

    def create(
        self,
        owner: str,
        weights: str,
        checksum: str,
        *,
        seed: int = 0,
        title: str = "",
        history: Sequence[Drawn] = (),
        here: int = 0,
        most: int | None = None,
    ) -> str:
        """A new drawing, blank or with an imported tree of turns numbered 1, 2, ... -> its id.

        Raises LimitError when `owner` has `most` drawings already.
        """
        key, now = secrets.token_hex(8), time.time()
        first = {"id": key, "owner": owner, "title": title, "weights": weights, "checksum": checksum, "seed": seed}
        rows = [_row(key, 0, None, 0, Turn("", seed))]
        for turn in history:
            parent = rows[turn.parent or 0]
            row = _row(key, len(rows), parent["number"], parent["depth"] + 1, Turn(turn.instruction, turn.seed))
            rows.append(row | {"name": turn.name, "shown": turn.shown, "candidates": turn.candidates})
        with self._writing.begin() as connection:
            count = connection.execute(select(func.count()).where(drawings.c.owner == owner)).scalar_one()
            if most is not None and count >= most:
                raise LimitError(f"there are {count} drawings already, the most for one person; delete one")
            connection.execute(insert(drawings).values(**first, here=here, undone="[]", created=now, changed=now))
            connection.execute(insert(turns), rows)
        return key

    def all_of(self, owner: str) -> list[Head]:
        """All drawings of a person, the last changed first."""
        query = _HEADS.where(drawings.c.owner == owner)
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(drawings.c.changed.desc(), drawings.c.id)).mappings().all()
        return [_head(row) for row in rows]

    def head(self, drawing: str, owner: str | None = None) -> Head:
        """A drawing without its turns. Raises NotFoundError unless it is there and is `owner`'s (None: anybody's)."""
        with self.engine.begin() as connection:
            return _find(connection, drawing, owner)

    def open(self, drawing: str, owner: str | None = None) -> Drawing:
        """A drawing with its whole tree."""
        with self.engine.begin() as connection:
            head = _find(connection, drawing, owner)
            query = select(*_WITHOUT_PICTURE).where(turns.c.drawing == drawing).order_by(turns.c.number)
            found = tuple(_drawn(row) for row in connection.execute(query).mappings())
        return Drawing(head, found)

    def rename(self, drawing: str, owner: str, title: str) -> None:
        """Give a drawing another title."""
        with self._changing(drawing, owner) as (connection, _):
            connection.execute(update(drawings).where(drawings.c.id == drawing).values(title=title[:LONGEST_TITLE]))

    def delete(self, drawing: str, owner: str) -> None:
        """Forget a drawing and all its turns."""
        with self._changing(drawing, owner) as (connection, _):
            connection.execute(delete(turns).where(turns.c.drawing == drawing))
            connection.execute(delete(drawings).where(drawings.c.id == drawing))

    # Turns

    def add(self, drawn: Sequence[NewTurn]) -> list[Drawn | None]:
        """Keep turns, all in one transaction; None for those whose drawing is gone, or elsewhere than they expect.

        A turn that is there already (same parent, instruction and seed) is found again, not stored twice.
        """
        ids = sorted({new.drawing for new in drawn})
        with self._writing.begin() as connection:
            # in one order, so that two processes never wait for each other
            connection.execute(
                select(drawings.c.id).where(drawings.c.id.in_(ids)).order_by(drawings.c.id).with_for_update()
            ).all()
            kept: dict[tuple[str, int], int] = {}  # candidates that came together -> the number they share
            moved: set[str] = set()
            return [_add(connection, new, kept, moved) for new in drawn]

    def by_key(self, drawing: str, key: str) -> list[Drawn]:
        """What a request with this mark was answered, if it was."""
        query = select(*_WITHOUT_PICTURE).where(turns.c.drawing == drawing, turns.c.key == key)
        with self.engine.begin() as connection:
            return [_drawn(row) for row in connection.execute(query.order_by(turns.c.number)).mappings()]

    def turn(self, drawing: str, number: int) -> Drawn:
        """One turn. Raises NotFoundError."""
        with self.engine.begin() as connection:
            return _turn(connection, drawing, number)

    def look(self, drawing: str, number: int | None) -> tuple[Head, Drawn, list[Drawn]]:
        """A drawing, one of its turns (None: the one in front of the person), and what was told from that one."""
        with self.engine.begin() as connection:
            head = _find(connection, drawing, None)
            turn = _turn(connection, drawing, head.here if number is None else number)
            return head, turn, _children(connection, drawing, turn.number)

    def children(self, drawing: str, parent: int) -> list[Drawn]:
        """The turns told from one, oldest first."""
        with self.engine.begin() as connection:
            return _children(connection, drawing, parent)

    def picture(self, drawing: str, number: int) -> bytes | None:
        """The PNG of a turn, None if it has to be drawn. Raises NotFoundError when there is no such turn."""
        query = select(turns.c.picture).where(turns.c.drawing == drawing, turns.c.number == number)
        with self.engine.begin() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"there is no turn {number}")
        return row[0]

    def undrawn(self, drawing: str) -> list[Drawn]:
        """Turns whose picture has to be drawn, those nearest to the blank canvas first."""
        query = select(*_WITHOUT_PICTURE).where(turns.c.drawing == drawing, turns.c.picture.is_(None))
        with self.engine.begin() as connection:
            rows = connection.execute(query.order_by(turns.c.depth, turns.c.number)).mappings().all()
        return [_drawn(row) for row in rows]

    def keep_pictures(self, drawing: str, pictures: dict[int, bytes]) -> None:
        """Store pictures of turns that are there."""
        with self._writing.begin() as connection:
            for number, picture in pictures.items():
                place = (turns.c.drawing == drawing) & (turns.c.number == number)
                connection.execute(update(turns).where(place).values(picture=picture))

    # Places

    def undo(self, drawing: str, owner: str, steps: int = 1) -> Head:
        """Go back by `steps` turns. Nothing is forgotten."""
        with self._changing(drawing, owner) as (connection, head):
            here, undone = _turn(connection, drawing, head.here), list(head.undone)
            if steps > here.depth:
                raise TelldrawError(
                    "there is nothing to undo" if not here.depth else f"there is only {here.depth} to undo"
                )
            for _ in range(steps):
                undone.append(here.number)
                here = _turn(connection, drawing, here.parent or 0)
            _move(connection, drawing, here.number, undone)
            return _find(connection, drawing, None)

    def redo(self, drawing: str, owner: str, steps: int = 1) -> Head:
        """Take back `steps` undos; telling or going elsewhere ends the chance."""
        with self._changing(drawing, owner) as (connection, head):
            undone = list(head.undone)
            if steps > len(undone):
                raise TelldrawError(
                    "there is nothing to redo" if not undone else f"there is only {len(undone)} to redo"
                )
            here = [undone.pop() for _ in range(steps)][-1]
            _move(connection, drawing, here, undone)
            return _find(connection, drawing, None)

    def goto(self, drawing: str, owner: str | None, number: int) -> Head:
        """Go to a turn; a candidate is thereby picked."""
        with self._changing(drawing, owner) as (connection, head):
            turn = _turn(connection, drawing, number)
            if not turn.shown:
                place = (turns.c.drawing == drawing) & (turns.c.number == number)
                connection.execute(update(turns).where(place).values(shown=True))
            if head.here != number or not turn.shown:
                _move(connection, drawing, number, [])
            return _find(connection, drawing, None)

    def name(self, drawing: str, owner: str, number: int, name: str | None) -> None:
        """Call a turn something, or nothing. Raises TelldrawError when another turn has the name."""
        try:
            with self._changing(drawing, owner) as (connection, _):
                _turn(connection, drawing, number)
                place = (turns.c.drawing == drawing) & (turns.c.number == number)
                connection.execute(update(turns).where(place).values(name=name))
        except IntegrityError:
            raise TelldrawError(f"the name {name!r} already stands for another turn; choose another") from None

    @contextmanager
    def _changing(self, drawing: str, owner: str | None) -> Iterator[tuple[Connection, Head]]:
        """A transaction in which nobody else changes this drawing."""
        with self._writing.begin() as connection:
            head = _find(connection, drawing, owner, lock=True)
            yield connection, head
            connection.execute(update(drawings).where(drawings.c.id == drawing).values(changed=time.time()))


def _find(connection: Connection, drawing: str, owner: str | None, lock: bool = False) -> Head:
    row = connection.execute(_HEAD_LOCKED if lock else _HEAD, {"drawing": drawing}).mappings().first()
    if row is None or (owner is not None and not secrets.compare_digest(row["owner"], owner)):
        raise NotFoundError("there is no such drawing")
    return _head(row)


def _drawn(row: Any) -> Drawn:
    return Drawn(**dict(row))


def _head(row: Any) -> Head:
    values: dict[str, Any] = {field: row[field] for field in Head.__dataclass_fields__}
    values["undone"] = tuple(json.loads(values["undone"]))
    return Head(**values)


def _turn(connection: Connection, drawing: str, number: int) -> Drawn:
    row = connection.execute(_TURN, {"drawing": drawing, "number": number}).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no turn {number}")
    return _drawn(row)


def _children(connection: Connection, drawing: str, parent: int) -> list[Drawn]:
    return [_drawn(row) for row in connection.execute(_CHILDREN, {"drawing": drawing, "parent": parent}).mappings()]


def _row(drawing: str, number: int, parent: int | None, depth: int, turn: Turn) -> dict:
    return {
        "drawing": drawing,
        "number": number,
        "parent": parent,
        "depth": depth,
        "instruction": turn.instruction,
        "seed": turn.seed,
        "name": None,
        "candidates": None,
        "shown": True,
        "key": None,
        "seconds": 0.0,
        "created": time.time(),
        "picture": None,
    }


def _move(connection: Connection, drawing: str, here: int, undone: list[int]) -> None:
    place = {"drawing": drawing, "to": here, "back": json.dumps(undone), "now": time.time()}
    connection.execute(_MOVE, place)


def _add(connection: Connection, new: NewTurn, kept: dict[tuple[str, int], int], moved: set[str]) -> Drawn | None:
    """Keep one turn. The drawing's row has been locked for the whole transaction."""
    try:
        head = _find(connection, new.drawing, None)
        parent = _turn(connection, new.drawing, new.parent)
    except NotFoundError:
        return None
    if new.expects_here is not None and head.here != new.expects_here and new.drawing not in moved:
        return None
    place = {"drawing": new.drawing, "parent": new.parent, "seed": new.seed, "instruction": new.instruction}
    there = connection.execute(_SAME, place).mappings().first()
    if there is not None:
        turn = _drawn(there)
    else:
        number = head.count + 1
        row = _row(new.drawing, number, new.parent, parent.depth + 1, Turn(new.instruction, new.seed))
        group = kept.setdefault((new.drawing, new.together), number) if new.together else None
        row |= {"candidates": group, "shown": new.moves, "key": new.key, "seconds": new.seconds}
        connection.execute(_INSERT, row | {"picture": new.picture})
        turn = _drawn({field: row[field] for field in Drawn.__dataclass_fields__})
    if new.moves:
        moved.add(new.drawing)
        _move(connection, new.drawing, turn.number, [])
    return turn
