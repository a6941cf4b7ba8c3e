"""One thread owns the networks. Turns that wait together are drawn together; those of one drawing in order."""

import io
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from telldraw.drawing.noise import check_seed, noise
from telldraw.drawing.session import Drawer, Engine, read
from telldraw.errors import TelldrawError
from telldraw.studio.catalogue import Catalogue
from telldraw.studio.jobs import Answer, FullError, Job, TooManyError
from telldraw.studio.records import Drawn, NewTurn
from telldraw.studio.store import LimitError, NotFoundError, Store


class Watcher(Protocol):
    """Hears what the worker does, for the metrics."""

    def drew(self, weights: str, rows: int, seconds: float) -> None:
        """One forward pass of so many turns."""
        ...

    def answered(self, kind: str, seconds: float, failed: bool) -> None:
        """One job, so many seconds after it was asked."""
        ...


@dataclass(frozen=True)
class Limits:
    """How much may wait, be drawn at once, and be remembered."""

    queue: int = 64
    """Jobs that may wait, in all."""
    waiting: int = 8
    """Jobs of one drawing that may wait."""
    batch: int = 16
    """Turns in one forward pass."""
    states: int = 256
    """States kept in memory; others are drawn anew from their turns when they are needed."""
    turns: int = 2000
    """Turns of one drawing."""


@dataclass
class Row:
    """One turn to draw."""

    job: Job
    parent: int
    instruction: str
    seed: int
    expects: int | None
    number: int | None = None
    """fill: the turn there already, which lacks a picture."""
    state: Any = None
    """Before it is drawn the parent's, afterwards its own."""
    depth: int = 0
    picture: bytes = b""
    seconds: float = 0.0


class Worker:
    """The queue and the thread behind it. `submit` may be called from any thread."""

    def __init__(self, store: Store, catalogue: Catalogue, limits: Limits | None = None, watcher: Any = None) -> None:
        """Nothing is drawn until `start`."""
        self.store, self.catalogue, self.limits = store, catalogue, limits or Limits()
        self._watcher: Watcher | None = watcher
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._drawers: dict[str, Drawer] = {}
        self._states: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._pace = 0.05  # seconds a job takes, a running mean
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    # From other threads

    def start(self) -> None:
        """Begin to draw; the default weights are loaded first, so that nobody waits for them."""
        self._thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Draw what waits, take nothing new, end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(seconds)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether anything asked will be drawn."""
        return self._thread.is_alive() and not self._stopping

    @property
    def remembered(self) -> int:
        """States in memory."""
        return len(self._states)

    def submit(self, job: Job) -> Job:
        """Put a job in line. Raises FullError or TooManyError when there is no room; nothing was done then."""
        job.asked = time.perf_counter()
        with self._changed:
            if self._stopping:
                raise FullError(10)
            if len(self._waiting) >= self.limits.queue:
                raise FullError(max(1, round(self._pace * len(self._waiting))))
            if sum(other.drawing == job.drawing for other in self._waiting) >= self.limits.waiting:
                raise TooManyError(max(1, round(self._pace * self.limits.waiting)))
            self._waiting.append(job)
            self._changed.notify()
        return job

    # On the worker's thread

    def _run(self) -> None:
        try:
            self._drawer(self.catalogue.default)
        except Exception:  # noqa: S110 - the first turn will say it, to somebody who can read it
            pass
        while batch := self._take():
            began = time.perf_counter()
            try:
                self._draw(batch)
            except Exception as error:
                for job in batch:
                    self._fail(job, error)
            self._pace = 0.9 * self._pace + 0.1 * (time.perf_counter() - began) / len(batch)

    def _take(self) -> list[Job]:
        """The oldest job and all that may be drawn with it: same weights, one job a drawing, none that overtakes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            batch: list[Job] = []
            left: deque[Job] = deque()
            seen: set[str] = set()
            rows = 0
            for job in self._waiting:
                size = job.count if job.kind != "move" else 0
                fits = not batch or (job.weights == batch[0].weights and rows + size <= self.limits.batch)
                if job.drawing in seen or not fits:
                    left.append(job)
                else:
                    batch.append(job)
                    rows += size
                seen.add(job.drawing)
            self._waiting = left
            return batch

    def _draw(self, batch: Sequence[Job]) -> None:
        rows: list[Row] = []
        for job in batch:
            if not job.future.running() and not job.future.set_running_or_notify_cancel():
                continue  # whoever asked has gone
            try:
                planned = self._plan(job)
                if isinstance(planned, Answer):
                    self._answer(job, planned)
                elif not planned:
                    self._finish(job, None)
                else:
                    rows += self._with_states(planned)
            except Exception as error:
                self._fail(job, error)
        if rows:
            self._paint(rows)
            self._keep(rows)

    def _plan(self, job: Job) -> Answer | list[Row]:
        """What to draw for a job; an answer if it was drawn before, an empty list if there is nothing to draw."""
        if job.kind == "move":
            self._finish(job, job.action() if job.action else None)
            return Answer((), False)
        if job.kind == "fill":
            missing = [turn for turn in self.store.undrawn(job.drawing)][: self.limits.batch]
            level = [turn for turn in missing if turn.depth == missing[0].depth]
            return [
                Row(job, turn.parent or 0, turn.instruction, turn.seed, None, turn.number, depth=turn.depth)
                for turn in level
            ]
        if job.key and (known := self.store.by_key(job.drawing, job.key)):
            return Answer(tuple(known), False)
        head, turn, told = self.store.look(job.drawing, job.turn)
        if head.count >= self.limits.turns:
            raise LimitError(f"this drawing has {head.count} turns, the most there can be; begin a new one")
        expects = head.here if job.turn is None else None
        instruction = job.instruction
        if job.kind == "again":
            if turn.parent is None:
                raise TelldrawError("there is nothing to draw again: the canvas is blank")
            instruction = turn.instruction
            _, turn, told = self.store.look(job.drawing, turn.parent)
        read(self.catalogue[job.weights].vocabulary, instruction)
        seeds, there = self._seeds(job, turn, [child for child in told if child.instruction == instruction])
        if there is not None:
            return Answer((self._arrive(job, there),), False)
        return [Row(job, turn.number, instruction, seed, expects, depth=turn.depth + 1) for seed in seeds]

    def _seeds(self, job: Job, parent: Drawn, same: list[Drawn]) -> tuple[list[int], Drawn | None]:
        """Seeds to draw with, and the turn itself if it is among the `same` that are there already."""
        following = max((turn.seed for turn in same), default=parent.seed - 1) + 1
        if job.kind == "candidates":
            first = check_seed(following if job.seed is None else job.seed)
            return [check_seed(first + n) for n in range(job.count)], None
        if job.kind == "again":
            seed = check_seed(following if job.seed is None else job.seed)
        else:
            seed = parent.seed if job.seed is None else check_seed(job.seed)
        return [seed], next((turn for turn in same if turn.seed == seed), None)

    def _arrive(self, job: Job, turn: Drawn) -> Drawn:
        self.store.goto(job.drawing, None, turn.number)
        return self.store.turn(job.drawing, turn.number)

    def _with_states(self, rows: list[Row]) -> list[Row]:
        for row in rows:
            if row.number != 0:
                row.state = self._state(row.job, row.parent)
        return rows

    def _drawer(self, weights: str) -> Drawer:
        if weights not in self._drawers:
            self._drawers[weights] = self.catalogue[weights].opens()
        return self._drawers[weights]

    def _state(self, job: Job, number: int) -> Any:
        """The state after a turn: remembered, or drawn anew from the nearest turn that is."""
        if (job.drawing, number) in self._states:
            self._states.move_to_end((job.drawing, number))
            return self._states[job.drawing, number]
        engine = self._drawer(job.weights).engine
        if number == 0:
            return engine.start()
        missing: list[Drawn] = []
        turn = self.store.turn(job.drawing, number)
        while turn.number and (job.drawing, turn.number) not in self._states:
            missing.append(turn)
            turn = self.store.turn(job.drawing, turn.parent or 0)
        state = self._states[job.drawing, turn.number] if turn.number else engine.start()
        for turn in reversed(missing):
            words = read(engine.vocabulary, turn.instruction)
            state = engine.turn(state, words, noise(turn.seed, turn.depth, engine.noise_dim))
            self._remember(job.drawing, turn.number, state)
        return state

    def _remember(self, drawing: str, number: int, state: Any) -> None:
        self._states[drawing, number] = state
        self._states.move_to_end((drawing, number))
        while len(self._states) > self.limits.states:
            self._states.popitem(last=False)

    def _paint(self, rows: list[Row]) -> None:
        """Draw rows in as few forward passes as the limit allows; their states and pictures are filled in."""
        weights = rows[0].job.weights
        engine = self._drawer(weights).engine
        told = [row for row in rows if row.number != 0]
        for start in range(0, len(told), self.limits.batch):
            part = told[start : start + self.limits.batch]
            began = time.perf_counter()
            words = [read(engine.vocabulary, row.instruction) for row in part]
            noises = [noise(row.seed, row.depth, engine.noise_dim) for row in part]
            after = together(engine, [row.state for row in part], words, noises)
            seconds = time.perf_counter() - began
            for row, state in zip(part, after, strict=True):
                row.state, row.seconds = state, seconds
            if self._watcher:
                self._watcher.drew(weights, len(part), seconds)
        for row in rows:
            picture = engine.picture(engine.start() if row.number == 0 else row.state)
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "PNG", compress_level=4)
            row.picture = stream.getvalue()

    def _keep(self, rows: list[Row]) -> None:
        """Write all of them, then tell those who asked."""
        jobs: dict[int, list[Row]] = {}
        for row in rows:
            jobs.setdefault(id(row.job), []).append(row)
        fills = [mine for mine in jobs.values() if mine[0].job.kind == "fill"]
        others = [mine for mine in jobs.values() if mine[0].job.kind != "fill"]
        for mine in fills:
            self._filled(mine)
        new = [self._new(row, together) for together, mine in enumerate(others, start=1) for row in mine]
        kept = iter(self.store.add(new)) if new else iter(())
        for mine in others:
            self._kept(mine, [next(kept) for _ in mine])

    def _new(self, row: Row, together: int) -> NewTurn:
        several = row.job.kind == "candidates"
        return NewTurn(
            row.job.drawing,
            row.parent,
            row.instruction,
            row.seed,
            row.picture,
            row.seconds,
            moves=not several,
            expects_here=row.expects,
            key=row.job.key,
            together=together if several else 0,
        )

    def _kept(self, mine: list[Row], turns: list[Drawn | None]) -> None:
        job = mine[0].job
        if None in turns:  # the drawing is gone, or another process moved it: then it is told to where it is now
            job.tries += 1
            try:
                self.store.head(job.drawing)
            except NotFoundError as error:
                return self._fail(job, error)
            if job.tries > 50:
                return self._fail(job, TelldrawError("this drawing is being changed elsewhere; tell it again"))
            with self._changed:
                self._waiting.appendleft(job)
            return None
        drawn = tuple(turn for turn in turns if turn is not None)
        for row, turn in zip(mine, drawn, strict=True):
            self._remember(job.drawing, turn.number, row.state)
        self._answer(job, Answer(drawn, True))

    def _filled(self, mine: list[Row]) -> None:
        """Keep the pictures of one level, say how far it is, and stand in line again for the next."""
        job = mine[0].job
        self.store.keep_pictures(job.drawing, {row.number or 0: row.picture for row in mine})
        for row in mine:
            if row.number:
                self._remember(job.drawing, row.number, row.state)
        job.done += len(mine)
        left = len(self.store.undrawn(job.drawing))
        job.said("progress", {"drawing": job.drawing, "done": job.done, "total": job.done + left})
        if not left or self._stopping:  # what is left is drawn when somebody looks at it
            return self._finish(job, job.done)
        with self._changed:
            self._waiting.append(job)
        return None

    def _answer(self, job: Job, answer: Answer) -> None:
        if not job.future.done():
            self._finish(job, Answer(answer.turns, answer.new, time.perf_counter() - job.asked))

    def _finish(self, job: Job, result: Any) -> None:
        job.future.set_result(result)
        if self._watcher and job.kind != "move":
            self._watcher.answered(job.kind, time.perf_counter() - job.asked, False)

    def _fail(self, job: Job, error: Exception) -> None:
        if not job.future.done():
            job.future.set_exception(error)
            if self._watcher:
                self._watcher.answered(job.kind, time.perf_counter() - job.asked, not isinstance(error, TelldrawError))


def together(engine: Engine, states: list[Any], words: list[list[str]], noises: list[np.ndarray]) -> list[Any]:
    """One turn of each conversation, in one forward pass where the engine can (`session.Batched`), in order.

    One that is told in a batch may be rounded otherwise in the last bit than one told alone: within 1/255.
    """
    many = getattr(engine, "turns", None)
    if many is None or len(states) == 1:
        return [engine.turn(*one) for one in zip(states, words, noises, strict=True)]
    return list(many(states, words, noises))
