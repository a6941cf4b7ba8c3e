"""Who looks at which drawing, and what they hear of it as it happens (server-sent events)."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

_ALIVE = 15.0
_MOST_WAITING = 200


class Hub:
    """Streams of events by drawing. `publish` may be called from any thread."""

    def __init__(self) -> None:
        """No streams yet; `open` binds it to the running loop."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: dict[str, set[asyncio.Queue]] = defaultdict(set)
        self._owners: dict[str, int] = defaultdict(int)
        self.closed = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that serves."""
        self._loop = loop

    def close(self) -> None:
        """End every stream, so that a stopping server waits for none."""
        self.closed = True
        self._later(self._end)

    @property
    def count(self) -> int:
        """Open streams."""
        return sum(self._owners.values())

    def of(self, owner: str) -> int:
        """Open streams of one person."""
        return self._owners.get(owner, 0)

    def publish(self, drawing: str, event: str, content: dict[str, Any]) -> None:
        """Tell everybody who looks at a drawing."""
        if drawing in self._streams:
            self._later(self._put, drawing, f"event: {event}\ndata: {json.dumps(content)}\n\n")

    async def listen(self, drawing: str, owner: str) -> AsyncIterator[str]:
        """The text of one stream, until the reader goes or the server stops."""
        queue: asyncio.Queue = asyncio.Queue(_MOST_WAITING)
        self._streams[drawing].add(queue)
        self._owners[owner] += 1
        try:
            yield "retry: 2000\n\n"
            while not self.closed:
                try:
                    text = await asyncio.wait_for(queue.get(), _ALIVE)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    break
                yield text
        finally:
            self._streams[drawing].discard(queue)
            if not self._streams[drawing]:
                del self._streams[drawing]
            self._owners[owner] -= 1
            if not self._owners[owner]:
                del self._owners[owner]

    def _later(self, action: Any, *values: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action, *values)

    def _put(self, drawing: str, text: str | None) -> None:
        for queue in self._streams.get(drawing, ()):
            if queue.full():  # whoever reads this slowly hears that it has missed something
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait("event: missed\ndata: {}\n\n")
            queue.put_nowait(text)

    def _end(self) -> None:
        for drawing in list(self._streams):
            self._put(drawing, None)
