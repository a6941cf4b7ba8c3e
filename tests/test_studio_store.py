"""Drawings that last: replay, places, two processes on one database, and a kill at any moment."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx2", reason="needs httpx2")

from studio_like import pixels, replayed, wait_for, worker_on  # noqa: E402
from telldraw.drawing.session import Turn  # noqa: E402
from telldraw.errors import TelldrawError  # noqa: E402
from telldraw.studio.jobs import Job  # noqa: E402
from telldraw.studio.records import NewTurn  # noqa: E402
from telldraw.studio.settings import home  # noqa: E402
from telldraw.studio.store import LimitError, NotFoundError, Store  # noqa: E402
from telldraw.studio.tables import about, sqlite_url  # noqa: E402

SERVER = Path(__file__).with_name("studio_like.py")


def _postgres_tools() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def _postgres() -> Iterator[str]:
    """A server of our own on a socket in a new folder -> its URL; or the one that TELLDRAW_TEST_POSTGRESQL names."""
    if url := os.environ.get("TELLDRAW_TEST_POSTGRESQL"):
        yield url
        return
    tools = _postgres_tools()
    if tools is None:
        pytest.skip("no PostgreSQL here: install its server, or name one with TELLDRAW_TEST_POSTGRESQL")
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'telldraw[postgresql]'")
    folder = Path(tempfile.mkdtemp(prefix="telldraw-"))
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to be root
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        user = {"user": "postgres", "cwd": folder}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | user
    try:
        data = folder / "data"
        subprocess.run([tools / "initdb", "-D", data, "-A", "trust", "-U", "telldraw", "-N"], check=True, **quiet)
        server = subprocess.Popen([tools / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="], **quiet)
        try:
            wait_for(lambda: (folder / ".s.PGSQL.5432").exists(), 60)
            url = f"postgresql://telldraw@/postgres?host={folder}"
            wait_for(lambda: _opens(url), 60)
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opens(url: str) -> bool:
    try:
        Store(url).close()
    except TelldrawError:
        return False
    return True


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each database in turn."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path_factory.mktemp("drawings") / "drawings.sqlite")
    else:
        with _postgres() as made:
            yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The store on it."""
    opened = Store(url)
    yield opened
    opened.close()


def told(store: Store, drawing: str, parent: int, instruction: str, seed: int = 0, **more: object) -> int:
    """Keep one turn -> its number."""
    turn = store.add([NewTurn(drawing, parent, instruction, seed, b"png", **more)])[0]  # type: ignore[arg-type]
    assert turn is not None
    return turn.number


def test_a_drawing_is_a_tree_with_a_place_in_it(store: Store) -> None:
    me = secrets.token_hex(32)
    drawing = store.create(me, "toy", "c" * 64, seed=2**63 - 1, title="Dusk")
    tree = told(store, drawing, 0, "a tree", 2**63 - 1)
    sun = told(store, drawing, tree, "a sun", 3)
    assert store.undo(drawing, me).here == tree and store.undo(drawing, me).undone == (sun, tree)
    with pytest.raises(TelldrawError, match="nothing to undo"):
        store.undo(drawing, me)
    assert store.redo(drawing, me, 2).here == sun
    with pytest.raises(TelldrawError, match="nothing to redo"):
        store.redo(drawing, me)
    store.undo(drawing, me)
    left = told(store, drawing, tree, "on the left")
    opened = store.open(drawing, me)
    assert opened.head.undone == () and opened.head.here == left and opened.head.count == 3
    assert opened.history(sun) == [Turn("a tree", 2**63 - 1), Turn("a sun", 3)]
    assert [(turn.number, turn.parent, turn.depth) for turn in opened.turns] == [
        (0, None, 0),
        (tree, 0, 1),
        (sun, tree, 2),
        (left, tree, 2),
    ]
    assert store.goto(drawing, me, sun).here == sun and told(store, drawing, tree, "on the left") == left
    store.name(drawing, me, sun, "dusk")
    with pytest.raises(TelldrawError, match="'dusk' already stands"):
        store.name(drawing, me, left, "dusk")
    store.rename(drawing, me, "Dawn")
    assert [head.title for head in store.all_of(me)] == ["Dawn"]
    store.delete(drawing, me)
    assert store.all_of(me) == [] and store.add([NewTurn(drawing, 0, "a tree", 0, b"")]) == [None]


def test_nobody_reaches_what_is_not_theirs(store: Store) -> None:
    me, you = secrets.token_hex(32), secrets.token_hex(32)
    drawing = store.create(me, "toy", "", seed=1)
    told(store, drawing, 0, "a tree")
    attempts: list[Callable[[], object]] = [
        lambda: store.open(drawing, you),
        lambda: store.head(drawing, you),
        lambda: store.undo(drawing, you),
        lambda: store.redo(drawing, you),
        lambda: store.goto(drawing, you, 0),
        lambda: store.name(drawing, you, 1, "mine"),
        lambda: store.rename(drawing, you, "mine"),
        lambda: store.delete(drawing, you),
        lambda: store.head("nowhere", me),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError, match="no such drawing"):
            attempt()
    assert store.open(drawing, me).head.here == 1 and store.all_of(you) == []
    with pytest.raises(LimitError, match="1 drawings already"):
        store.create(me, "toy", "", most=1)


def test_candidates_wait_to_be_picked(store: Store) -> None:
    me = secrets.token_hex(32)
    drawing = store.create(me, "toy", "")
    drawn = store.add([NewTurn(drawing, 0, "a tree", seed, b"", moves=False, together=1) for seed in (0, 1, 2)])
    assert [turn and (turn.shown, turn.candidates) for turn in drawn] == [(False, 1)] * 3
    assert store.head(drawing, me).here == 0
    assert store.goto(drawing, me, 2).here == 2
    assert [turn.shown for turn in store.open(drawing, me).turns] == [True, False, True, False]


def test_a_turn_drawn_for_a_place_that_was_left_is_refused(store: Store) -> None:
    me = secrets.token_hex(32)
    drawing = store.create(me, "toy", "")
    told(store, drawing, 0, "a tree", expects_here=0)
    assert store.add([NewTurn(drawing, 0, "a sun", 0, b"", expects_here=0)]) == [None]


def test_what_is_stored_replays_exactly(tmp_path: Path) -> None:
    worker = worker_on(tmp_path, states=2)  # so few that most are drawn anew
    drawing = worker.store.create("me", "toy", worker.catalogue["toy"].checksum, seed=5)
    worker.start()
    kind: Any
    for number, (kind, instruction) in enumerate(
        [("tell", "a tree"), ("tell", "a sun"), ("again", ""), ("tell", "on the left"), ("candidates", "the tree")]
    ):
        job = Job(drawing, "toy", kind, instruction, turn=1 if number == 3 else None, count=3 if number == 4 else 1)
        worker.submit(job).future.result(20)
    worker.stop()
    again = Store(sqlite_url(tmp_path / "drawings.sqlite"))
    opened = again.open(drawing)
    assert len(opened.turns) == 8
    for turn in opened.turns[1:]:
        assert pixels(again.picture(drawing, turn.number) or b"") == replayed(opened.history(turn.number))
    again.close()
    worker.store.close()


# Processes


@contextmanager
def served(url: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """A studio in a process of its own -> its address, the process."""
    server = subprocess.Popen([sys.executable, str(SERVER), url], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip().rstrip("/")
        assert address, "the studio did not start"
        yield address, server
    finally:
        if server.poll() is None:
            server.terminate()
        assert server.wait(30) in (0, -signal.SIGKILL)
        if server.stdout:
            server.stdout.close()


def client(address: str, owner: str) -> Any:
    """One person's requests."""
    return httpx.Client(base_url=address, headers={"telldraw-owner": owner}, timeout=60)


def test_a_killed_studio_has_every_acknowledged_turn(tmp_path: Path) -> None:
    database = sqlite_url(tmp_path / "drawings.sqlite")
    acknowledged: list[tuple[str, dict]] = []
    words = ["a tree", "the sun", "a large tree", "on the left", "left of it"]

    def telling(address: str, owner: str) -> None:
        with client(address, owner) as http:
            try:
                session = http.post("/api/sessions", json={}).json()["id"]
                for n in range(10_000):
                    body = {"instruction": words[n % 5], "seed": n}
                    acknowledged.append((session, http.post(f"/api/sessions/{session}/turns", json=body).json()))
            except httpx.HTTPError:
                return  # killed

    with served(database) as (address, server):
        crowd = [threading.Thread(target=telling, args=(address, secrets.token_urlsafe(32))) for _ in range(6)]
        for one in crowd:
            one.start()
        wait_for(lambda: len(acknowledged) > 60)
        time.sleep(0.1 + 0.2 * secrets.randbelow(100) / 100)
        server.send_signal(signal.SIGKILL)
        for one in crowd:
            one.join()
    store = Store(database)
    assert len({session for session, _ in acknowledged}) == 6
    for session, drew in acknowledged:
        turn = drew["turns"][0]
        drawing = store.open(session)
        found = drawing.turns[turn["number"]]
        assert (found.instruction, found.seed, found.parent) == (turn["instruction"], turn["seed"], turn["parent"])
        assert pixels(store.picture(session, found.number) or b"") == replayed(drawing.history(found.number))
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_studios_share_a_database(kind: str, tmp_path: Path) -> None:
    if kind == "sqlite":
        share(sqlite_url(tmp_path / "drawings.sqlite"))
    else:
        with _postgres() as url:
            share(url)


def share(url: str) -> None:
    """Tell one drawing through two studios at once: no turn is lost, and all lie in one line."""
    owner = secrets.token_urlsafe(32)
    with served(url) as (first, _), served(url) as (second, _):
        with client(first, owner) as http:
            session = http.post("/api/sessions", json={}).json()["id"]

        def telling(address: str) -> None:
            with client(address, owner) as http:
                for n in range(12):
                    body = {"instruction": "a tree" if address == first else "the sun", "seed": n}
                    answer = http.post(f"/api/sessions/{session}/turns", json=body)
                    assert answer.status_code == 201, answer.text

        both = [threading.Thread(target=telling, args=(address,)) for address in (first, second)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        with client(second, owner) as http:
            whole = http.get(f"/api/sessions/{session}").json()
            assert [turn["parent"] for turn in whole["turns"][1:]] == list(range(24))
            history = [(turn["instruction"], turn["seed"]) for turn in whole["turns"][1:]]
            for instruction in ("a tree", "the sun"):
                assert [seed for told, seed in history if told == instruction] == list(range(12))
            picture = http.get(f"/api/sessions/{session}/turns/24.png").content
            assert pixels(picture) == replayed(history)


# What can be wrong


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("nonsense", "no database URL"),
        ("mysql://me:secret@there/db", "sqlite:///FILE"),
        ("sqlite://", "kept in a file"),
        ("sqlite:////nowhere/at/all.sqlite", "cannot be opened"),
        ("postgresql://me:secret@127.0.0.1:1/db", "cannot be opened"),
    ],
)
def test_what_is_wrong_with_a_database_is_one_sentence(wrong: str, sentence: str) -> None:
    if wrong.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(TelldrawError, match=sentence) as caught:
        Store(wrong)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_no_database_and_one_of_another_form_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 100)
    with pytest.raises(TelldrawError, match="not a database"):
        Store(sqlite_url(tmp_path / "notes.txt"))
    url = sqlite_url(tmp_path / "later.sqlite")
    store = Store(url)
    with store.engine.begin() as connection:
        connection.execute(about.update().values(version=99))
    store.close()
    with pytest.raises(TelldrawError, match="form 99"):
        Store(url)


def test_the_folder_of_drawings_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLDRAW_HOME", str(tmp_path / "mine" / "here"))
    assert home() == tmp_path / "mine" / "here" and home().is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELLDRAW_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(TelldrawError, match="TELLDRAW_HOME"):
        home()
