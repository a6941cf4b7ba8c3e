"""Figures of a running studio, in the text form that Prometheus reads."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What the worker and the pages report; a `worker.Watcher`."""

    def __init__(self) -> None:
        """A registry of its own, so that two studios in one process do not add up."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        known: Any = {"registry": self.registry}
        self.turns = Counter("telldraw_turns", "Turns drawn", ["weights"], **known)
        self.batch = Histogram(
            "telldraw_batch_turns", "Turns in one forward pass", buckets=(1, 2, 4, 8, 16, 32), **known
        )
        self.pass_seconds = Histogram("telldraw_pass_seconds", "Time of one forward pass", buckets=_SECONDS, **known)
        self.job_seconds = Histogram(
            "telldraw_job_seconds", "From asking to being stored", ["kind"], buckets=_SECONDS, **known
        )
        self.failed = Counter("telldraw_failed_jobs", "Jobs that ended in an error of ours", ["kind"], **known)
        self.refused = Counter("telldraw_refused", "Requests refused for want of room", ["why"], **known)
        self.requests = Counter("telldraw_requests", "HTTP requests", ["method", "route", "status"], **known)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A figure that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def drew(self, weights: str, rows: int, seconds: float) -> None:
        """One forward pass of so many turns."""
        self.turns.labels(weights).inc(rows)
        self.batch.observe(rows)
        self.pass_seconds.observe(seconds)

    def answered(self, kind: str, seconds: float, failed: bool) -> None:
        """One job, so many seconds after it was asked."""
        self.job_seconds.labels(kind).observe(seconds)
        if failed:
            self.failed.labels(kind).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
