"""Work that several processes share: chunks in order, a few under way at a time, and an end when the parent ends."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from telldraw.errors import DataError

Tool = TypeVar("Tool")
Item = TypeVar("Item")
Result = TypeVar("Result")

_tool: Any = None  # of this worker process


def in_processes(
    make: Callable[..., Tool],
    arguments: tuple[Any, ...],
    work: Callable[[Tool, Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    workers: int,
    chunk: int = 32,
) -> Iterator[Result]:
    """Give `work(tool, items[at : at + chunk])` for every chunk, in order; every process makes its `tool` once.

    Only a few chunks are under way at a time, so memory does not grow with the number of items. With one worker, or
    one chunk, nothing is started. Raises DataError when a process is ended from outside, and what `work` raises.
    """
    chunks = [items[at : at + chunk] for at in range(0, len(items), chunk)]
    if workers <= 1 or len(chunks) <= 1:
        tool = make(*arguments)
        for part in chunks:
            yield work(tool, part)
        return
    spawn = get_context("spawn")  # a fork would carry the parent's memory along
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(make, arguments))
    waiting: deque[Future[Result]] = deque()
    try:
        for part in chunks:
            waiting.append(pool.submit(_work, work, part))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise DataError("a drawing process was ended from outside, perhaps for memory; use fewer --workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    global _tool
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends the workers
    Thread(target=_end_with_parent, daemon=True).start()
    _tool = make(*arguments)


def _end_with_parent() -> None:
    """Wait for the parent: one that is killed cannot end its workers, and they would wait for work for ever."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _work(work: Callable[[Any, Sequence[Any]], Any], part: Sequence[Any]) -> Any:
    assert _tool is not None
    return work(_tool, part)
