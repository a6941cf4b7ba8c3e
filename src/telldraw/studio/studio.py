"""What every page and route shares: the store, the worker, the weights, and what is allowed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from telldraw.errors import InstructionError, WeightsError
from telldraw.studio.catalogue import Catalogue
from telldraw.studio.events import Hub
from telldraw.studio.jobs import Answer, FullError, Job
from telldraw.studio.metrics import Metrics
from telldraw.studio.records import Drawn, Head
from telldraw.studio.settings import Settings
from telldraw.studio.shapes import head_out, turn_out
from telldraw.studio.store import Store
from telldraw.studio.worker import Worker


@dataclass
class Studio:
    """One running studio."""

    settings: Settings
    store: Store
    catalogue: Catalogue
    worker: Worker
    hub: Hub
    metrics: Metrics

    def check(self, instruction: str) -> str:
        """The instruction itself. Raises InstructionError when it is longer than this studio reads."""
        if len(instruction) > self.settings.instruction:
            raise InstructionError(
                f"the instruction has {len(instruction):,} characters, this studio reads at most "
                f"{self.settings.instruction:,}; tell it in several turns"
            )
        return instruction

    def mine(self, drawing: str, owner: str) -> Head:
        """A drawing of this person's, whose weights are here. Raises NotFoundError or WeightsError."""
        head = self.store.head(drawing, owner)
        self.catalogue.of(head.weights, head.checksum)
        return head

    def stale(self, head: Head) -> str:
        """Why a drawing cannot be told more here, or nothing."""
        try:
            self.catalogue.of(head.weights, head.checksum)
        except WeightsError as error:
            return str(error)
        return ""

    def turn(self, head: Head, turn: Drawn) -> dict[str, Any]:
        """A turn as it goes out."""
        model = self.catalogue.models.get(head.weights)
        return turn_out(head.id, turn, model.unknown(turn.instruction) if model else {})

    def whole(self, drawing: str, owner: str) -> dict[str, Any]:
        """A drawing with its tree, as it goes out."""
        found = self.store.open(drawing, owner)
        turns = [self.turn(found.head, turn) for turn in found.turns]
        return head_out(found.head) | {"turns": turns, "stale": self.stale(found.head)}

    def said(self, drawing: str) -> Callable[[str, dict[str, Any]], None]:
        """Who hears of a job's progress."""
        return lambda event, content: self.hub.publish(drawing, event, content)

    async def ask(self, job: Job) -> Any:
        """Put a job in line and wait for its answer. Raises FullError when there is no room."""
        try:
            self.worker.submit(job)
        except FullError as error:
            self.metrics.refused.labels(type(error).__name__.removesuffix("Error").lower()).inc()
            raise
        return await asyncio.wrap_future(job.future)

    async def draw(self, job: Job) -> dict[str, Any]:
        """Draw, tell all who look on, and say it to the one who asked."""
        answer = cast(Answer, await self.ask(job))

        def content() -> dict[str, Any]:
            head = self.store.head(job.drawing)
            drawn = [self.turn(head, turn) for turn in answer.turns]
            return {"turns": drawn, "here": head.here, "undone": list(head.undone), "new": answer.new}

        drew = await run_in_threadpool(content)
        self.hub.publish(job.drawing, "drew", drew)
        return drew

    async def move(self, head: Head, action: Callable[[], Any]) -> dict[str, Any]:
        """Change the place in a drawing, after the turns that were asked before."""
        place = await self.ask(Job(head.id, head.weights, "move", action=action))
        content = {"here": place.here, "undone": list(place.undone)}
        self.hub.publish(head.id, "moved", content)
        return content

    async def fill(self, head: Head) -> Any:
        """Draw all pictures of a drawing that are missing."""
        return await self.ask(Job(head.id, head.weights, "fill", said=self.said(head.id)))


def studio_of(request: Request) -> Studio:
    """The studio that a request came to."""
    return request.app.state.studio


def owner_of(request: Request) -> str:
    """Whose request it is."""
    return request.state.owner
