"""A crowd telling the real server on loopback: turns a second, waiting times, memory, and that nothing is lost.

Every client has drawings of its own and tells one instruction after the other, as soon as the last is answered. At the
end each picture is compared with its replay, drawn alone in this process from the instructions and seeds that the
client remembers. `--kill` ends the server with SIGKILL half way, starts it again, and looks for every turn that was
acknowledged. The floor is the network alone: the same turns in full batches, without server, store or clients.
"""

import asyncio
import io
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import tyro
from PIL import Image

import telldraw
import telldraw.weights
from telldraw.drawing.noise import noise
from telldraw.drawing.session import Drawer, read
from telldraw.studio.catalogue import load
from telldraw.studio.worker import together


@dataclass(frozen=True)
class Options:
    """Put a studio under load."""

    clients: int = 50
    seconds: float = 60.0
    weights: str | None = None
    """Who draws; the default weights if not given."""
    batch: int = 16
    """Most turns in one forward pass."""
    turns: int = 10
    """Turns of a drawing, then the client begins another."""
    database: str | None = None
    """Default: SQLite in a new folder."""
    kill: bool = False
    """End the server with SIGKILL half way, start it again, count what is missing."""


@dataclass
class Client:
    """One person: what was told, and what was answered."""

    owner: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    waits: list[float] = field(default_factory=list)
    told: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    """drawing -> (instruction, seed, number of the turn), as acknowledged."""
    refused: int = 0
    failed: list[str] = field(default_factory=list)


class Server:
    """The studio in a process of its own."""

    def __init__(self, options: Options, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.start()

    def start(self) -> None:
        """Serve on a free port."""
        words = [sys.executable, "-m", "telldraw", "studio", "--port", "0", "--batch", str(self.options.batch)]
        words += ["--drawings", "100000"]
        words += ["--weights", self.options.weights] if self.options.weights else []
        words += ["--database", self.options.database] if self.options.database else []
        environment = os.environ | {"TELLDRAW_HOME": str(self.folder)}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().rstrip("/")
        if not self.address:
            raise SystemExit("the studio did not start")
        httpx.get(f"{self.address}/health", timeout=60)

    def memory(self) -> float:
        """Resident memory in MB."""
        for line in httpx.get(f"{self.address}/metrics", timeout=60).text.splitlines():
            if line.startswith("process_resident_memory_bytes "):
                return float(line.split()[1]) / 1e6
        return float("nan")

    def batches(self) -> tuple[float, float]:
        """Turns drawn, and forward passes they took."""
        found = dict(
            line.rsplit(" ", 1)
            for line in httpx.get(f"{self.address}/metrics", timeout=60).text.splitlines()
            if line.startswith("telldraw_batch_turns")
        )
        return float(found["telldraw_batch_turns_sum"]), float(found["telldraw_batch_turns_count"])

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End it -> its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


async def tell(client: Client, address: str, scenes: Sequence[list[str]], options: Options, end: float) -> None:
    """Tell until the time is over, or the server is gone."""
    lines = [line for scene in scenes for line in scene]
    pick = random.Random(client.owner)
    async with httpx.AsyncClient(base_url=address, headers={"telldraw-owner": client.owner}, timeout=60) as http:
        while time.perf_counter() < end:
            try:
                seed = pick.randrange(2**31)
                drawing = (await http.post("/api/sessions", json={"seed": seed})).json()["id"]
                client.told[drawing] = []
                while len(client.told[drawing]) < options.turns and time.perf_counter() < end:
                    instruction = pick.choice(lines)
                    began = time.perf_counter()
                    answer = await http.post(f"/api/sessions/{drawing}/turns", json={"instruction": instruction})
                    if answer.status_code == 503:
                        client.refused += 1
                        await asyncio.sleep(float(answer.headers["retry-after"]))
                        continue
                    if answer.status_code != 201:
                        client.failed.append(answer.text[:200])
                        return
                    client.waits.append(time.perf_counter() - began)
                    client.told[drawing].append((instruction, seed, answer.json()["turns"][0]["number"]))
            except httpx.HTTPError:
                return  # the server was killed


async def crowd(clients: Sequence[Client], server: Server, options: Options, seconds: float) -> None:
    """All at once."""
    scenes = load(options.weights or telldraw.weights.DEFAULT).scenes
    end = time.perf_counter() + seconds
    if options.kill:
        asyncio.get_running_loop().call_later(seconds, server.process.kill)
        end += 60  # it is the kill that ends it
    await asyncio.gather(*(tell(client, server.address, scenes, options, end) for client in clients))


def check(clients: Sequence[Client], address: str, drawer: Drawer) -> dict[str, int]:
    """Every acknowledged turn is there, its picture that of its replay -> counts of what was found."""
    found = {"turns": 0, "lost": 0, "to the bit": 0, "within 1/255": 0, "crossed": 0}
    for client in clients:
        with httpx.Client(base_url=address, headers={"telldraw-owner": client.owner}, timeout=60) as http:
            for drawing, told in client.told.items():
                canvas = drawer.start()
                for instruction, seed, number in told:
                    canvas = canvas.tell(instruction, seed)
                    answer = http.get(f"/api/sessions/{drawing}/turns/{number}.png")
                    found["turns"] += 1
                    if answer.status_code != 200:
                        found["lost"] += 1
                        continue
                    with Image.open(io.BytesIO(answer.content)) as image:
                        shown = np.asarray(image, np.int16)
                    off = int(np.abs(shown - np.asarray(canvas.image, np.int16)).max())
                    found["to the bit" if off == 0 else "within 1/255" if off == 1 else "crossed"] += 1
    return found


def floor(drawer: Drawer, scenes: Sequence[list[str]], batch: int) -> float:
    """Turns a second of the network alone, in full batches."""
    engine = drawer.engine
    lines = [line for scene in scenes for line in scene]
    words = [read(engine.vocabulary, lines[n % len(lines)]) for n in range(batch)]
    noises = [noise(n, 1, engine.noise_dim) for n in range(batch)]
    states = [engine.start() for _ in range(batch)]
    best = 0.0
    for _ in range(12):
        began = time.perf_counter()
        states = together(engine, states, words, noises)
        best = max(best, batch / (time.perf_counter() - began))
    return best


def main(options: Options) -> None:
    """Print the figures, and end with 1 if anything is lost or crossed."""
    clients = [Client() for _ in range(options.clients)]
    with tempfile.TemporaryDirectory() as name:
        server = Server(options, Path(name))
        before = server.memory()
        asyncio.run(crowd([Client()], server, Options(turns=3), 3.0))  # the network is loaded, the caches are warm
        began = server.memory()
        seconds = options.seconds / 2 if options.kill else options.seconds
        started = time.perf_counter()
        asyncio.run(crowd(clients, server, options, seconds))
        took = time.perf_counter() - started
        waits = sorted(wait for client in clients for wait in client.waits)
        print(f"{options.clients} clients, {took:.0f} s: {len(waits):,} turns, {len(waits) / took:.1f} turns/s")
        if waits:
            print(
                f"  waiting: median {1e3 * statistics.median(waits):.0f} ms, "
                f"99 % under {1e3 * waits[int(0.99 * len(waits))]:.0f} ms"
            )
        if options.kill:
            server.stop(signal.SIGKILL)
            server.start()
            print("  killed with SIGKILL under load, started again")
        else:
            drawn, passes = server.batches()
            print(
                f"  {drawn / passes:.1f} turns a forward pass; memory "
                f"{before:.0f} MB at rest, {began:.0f} MB warm, {server.memory():.0f} MB at the end"
            )
        drawer = telldraw.drawer(options.weights)
        found = check(clients, server.address, drawer)
        code = server.stop()
        print(f"  {sum(client.refused for client in clients)} times 503; the server ended with {code}")
    report(options, clients, found, len(waits) / took, drawer)


def report(options: Options, clients: Sequence[Client], found: dict[str, int], rate: float, drawer: Any) -> None:
    """The comparison with the replays, and the floor."""
    print("  replayed: " + ", ".join(f"{count:,} {what}" for what, count in found.items()))
    best = floor(drawer, load(options.weights or telldraw.weights.DEFAULT).scenes, options.batch)
    print(f"  floor (the network alone, batches of {options.batch}): {best:.1f} turns/s; {best / rate:.1f} x")
    for sentence in {said for client in clients for said in client.failed}:
        print(f"  failed: {sentence}")
    if found["lost"] or found["crossed"] or any(client.failed for client in clients):
        raise SystemExit(1)


if __name__ == "__main__":
    main(tyro.cli(Options))
