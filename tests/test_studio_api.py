"""The HTTP API: every clause of it, whose drawings are whose, what is refused, how it stops."""

import io
import json
import re
import secrets
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

pytest.importorskip("httpx2", reason="needs httpx2")

from starlette.testclient import TestClient  # noqa: E402

from studio_like import Crowd, model, pixels, replayed, wait_for  # noqa: E402
from telldraw.commands import studio as command  # noqa: E402
from telldraw.drawing.files import read_record  # noqa: E402
from telldraw.errors import TelldrawError  # noqa: E402
from telldraw.studio.app import PAGE, build  # noqa: E402
from telldraw.studio.catalogue import Catalogue  # noqa: E402
from telldraw.studio.settings import Settings, is_local  # noqa: E402
from telldraw.studio.store import Store  # noqa: E402
from telldraw.studio.tables import sqlite_url  # noqa: E402
from telldraw.studio.worker import Limits  # noqa: E402


def client_on(folder: Path, engine: Any = None, settings: Settings | None = None, **limits: int) -> TestClient:
    """A studio on a new database."""
    store = Store(sqlite_url(folder / "drawings.sqlite"))
    catalogue = Catalogue([model(engine), model(name="other", config={"n": 2})])
    return TestClient(build(store, catalogue, settings, Limits(**limits)))


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    """A studio, and one person's browser."""
    with client_on(tmp_path) as client:
        yield client


def begin(http: TestClient, **more: Any) -> str:
    """A new drawing -> its address."""
    answer = http.post("/api/sessions", json=more)
    assert answer.status_code == 201, answer.text
    return f"/api/sessions/{answer.json()['id']}"


def tell(http: TestClient, session: str, instruction: str, **more: Any) -> dict[str, Any]:
    """One turn."""
    answer = http.post(f"{session}/turns", json={"instruction": instruction, **more})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["turns"][0]


def stranger(http: TestClient) -> dict[str, str]:
    """Headers of somebody else."""
    return {"telldraw-owner": secrets.token_urlsafe(32), "cookie": ""}


def test_from_telling_to_undo_to_branch_to_candidates(http: TestClient) -> None:
    session = begin(http, seed=3, title="Dusk")
    tree = tell(http, session, "a lagre tree")
    assert (tree["number"], tree["seed"], tree["unknown"]) == (1, 3, {"lagre": ["large"]})
    sun = tell(http, session, "the sun")
    assert http.post(f"{session}/undo").json() == {"here": 1, "undone": [2]}
    assert http.post(f"{session}/redo").json() == {"here": 2, "undone": []}
    assert http.post(f"{session}/undo", json={"steps": 2}).json()["here"] == 0
    assert http.post(f"{session}/goto", json={"turn": 1}).json() == {"here": 1, "undone": []}
    left = tell(http, session, "on the left")
    assert left["parent"] == 1 != sun["number"]
    again = http.post(f"{session}/again", json={}).json()
    assert again["turns"][0]["seed"] == 4 and again["turns"][0]["parent"] == 1
    drew = http.post(f"{session}/candidates", json={"instruction": "a large tree", "count": 3}).json()
    numbers = [turn["number"] for turn in drew["turns"]]
    assert drew["here"] == again["here"] and len(numbers) == 3
    assert http.post(f"{session}/pick", json={"turn": numbers[1]}).json()["here"] == numbers[1]
    assert http.put(f"{session}/turns/2/name", json={"name": "dusk"}).status_code == 204
    whole = http.get(session).json()
    assert [turn["shown"] for turn in whole["turns"]][-3:] == [False, True, False]
    assert whole["turns"][2]["name"] == "dusk" and whole["title"] == "Dusk" and whole["stale"] == ""
    picture = http.get(whole["picture"])
    history = [("a lagre tree", 3), ("on the left", 4), ("a large tree", whole["turns"][numbers[1]]["seed"])]
    assert pixels(picture.content) == replayed(history)
    assert "immutable" in picture.headers["cache-control"]
    assert pixels(http.get(f"{session}/turns/0.png").content) == b"\xff" * 192
    assert Image.open(io.BytesIO(http.get(f"{session}/turns/1.png?scale=4").content)).size == (32, 32)
    compared = Image.open(io.BytesIO(http.get(f"{session}/compare.png?turns=2&turns=3").content))
    assert compared.width > 2 * 256
    assert http.patch(session, json={"title": "Dawn"}).status_code == 204
    assert [one["title"] for one in http.get("/api/sessions").json()] == ["Dawn"]
    assert http.delete(session).status_code == 204 and http.get(session).status_code == 404
    assert http.get("/api/sessions").json() == []


def test_the_same_again_is_found_and_not_drawn(http: TestClient) -> None:
    session = begin(http)
    body = {"instruction": "a tree", "parent": 0, "key": "k"}
    assert [http.post(f"{session}/turns", json=body).status_code for _ in range(3)] == [201, 200, 200]
    assert http.get(session).json()["count"] == 1


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_exports(http: TestClient, kind: str, tmp_path: Path) -> None:
    session = begin(http, title="Ein schöner Tag!")
    for instruction in ("a tree", "the sun", "on the left"):
        tell(http, session, instruction)
    answer = http.get(f"{session}/export/turns.{kind}?turn=2")
    assert answer.headers["content-type"] == f"image/{kind}"
    assert re.search(r'filename="[a-z0-9.-]+"', answer.headers["content-disposition"])
    with Image.open(io.BytesIO(answer.content)) as frames:
        assert getattr(frames, "n_frames", 1) == 2
    assert Image.open(io.BytesIO(http.get(f"{session}/export/sheet.png").content)).width > 256
    path = tmp_path / "picture.png"
    path.write_bytes(http.get(f"{session}/export/picture.png").content)
    assert read_record(path).history == (("a tree", 0), ("the sun", 0), ("on the left", 0))
    assert http.get(f"{session}/export/picture.png?scale=33").status_code == 422
    assert http.get(f"{session}/export/turns.exe").status_code == 422
    assert http.get(f"{session}/export/sheet.png?turn=99").status_code == 404


def test_a_drawing_that_was_exported_imports_again_picture_for_picture(http: TestClient) -> None:
    session = begin(http, title="Dusk", seed=9)
    tell(http, session, "a tree")
    tell(http, session, "the sun")
    tell(http, session, "on the left", parent=1, seed=4)
    http.post(f"{session}/candidates", json={"instruction": "a large tree", "count": 2})
    http.put(f"{session}/turns/2/name", json={"name": "dusk"})
    document = http.get(f"{session}/export/drawing.json").content
    other = http.post("/api/import", content=document, headers={"content-type": "application/json"} | stranger(http))
    assert other.status_code == 201, other.text
    mine = http.post("/api/import", content=document, headers={"content-type": "application/json"}).json()
    for turn in http.get(session).json()["turns"]:
        copy = mine["turns"][turn["number"]]
        assert [copy[name] for name in ("parent", "instruction", "seed", "name", "shown", "candidates")] == [
            turn[name] for name in ("parent", "instruction", "seed", "name", "shown", "candidates")
        ]
        assert http.get(copy["picture"]).content == http.get(turn["picture"]).content
    again = http.get(f"/api/sessions/{mine['id']}/export/drawing.json").json()
    assert again == json.loads(document)
    png = http.get(f"{session}/export/picture.png?turn=3").content
    linear = http.post("/api/import", content=png, headers={"content-type": "image/png"}).json()
    assert [turn["instruction"] for turn in linear["turns"]] == ["", "a tree", "on the left"] and linear["here"] == 2
    by_other = http.post("/api/import?weights=other", content=document, headers={"content-type": "application/json"})
    assert by_other.json()["weights"] == "other"


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it is huge, with a record so that it would be wanted."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    record = b"telldraw\0\0\0\0\0" + json.dumps({"weights": "toy", "turns": [["a tree", 0]]}).encode()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"iTXt", record)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))
        + chunk(b"IEND", b"")
    )


def text_bomb() -> bytes:
    """A PNG whose text unpacks to very much."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("telldraw", "a" * 60_000_000, zip=True)
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def test_uploads_are_bounded_in_type_size_and_what_they_unpack_to(http: TestClient) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    good = {"telldraw": "drawing", "format": 1, "weights": "toy", "turns": []}
    turn = {"number": 1, "parent": 0, "instruction": "a tree", "seed": 0}
    wrong: list[tuple[str, bytes, int, str]] = [
        ("text/html", b"<p>", 415, "application/json or image/png"),
        ("application/json", b"{", 422, "no drawing"),
        ("application/json", b"[]", 422, "no drawing"),
        ("application/json", b'{"telldraw": "drawing", "format": 2, "weights": "toy", "turns": []}', 422, "format"),
        ("application/json", json.dumps(good | {"turns": [turn | {"parent": 1}]}).encode(), 422, "comes before"),
        ("application/json", json.dumps(good | {"turns": [turn | {"number": 7}]}).encode(), 422, "damaged"),
        ("application/json", json.dumps(good | {"turns": [turn | {"seed": -1}]}).encode(), 422, "seed"),
        ("application/json", json.dumps(good | {"turns": [turn | {"instruction": "qqq"}]}).encode(), 422, "turn 1: "),
        ("application/json", json.dumps(good | {"turns": [turn | {"instruction": "a" * 5000}]}).encode(), 422, "5,000"),
        ("application/json", json.dumps(good | {"weights": "nobody"}).encode(), 409, "nobody"),
        ("application/json", json.dumps(good | {"turns": [turn] * 2500}).encode(), 422, "2,500 turns"),
        ("application/json", b" " * (5 << 20), 413, "bytes"),
        ("image/png", b"GIF89a", 422, "no PNG"),
        ("image/png", plain.getvalue(), 422, "does not say how it was drawn"),
        ("image/png", plain.getvalue()[:60], 422, "damaged|does not say"),
        ("image/png", bomb(60_000, 60_000), 422, "60,000 x 60,000"),
        ("image/png", text_bomb(), 422, "damaged|does not say"),
    ]
    for kind, content, status, sentence in wrong:
        answer = http.post("/api/import", content=content, headers={"content-type": kind})
        assert answer.status_code == status and re.search(sentence, answer.json()["error"]), (sentence, answer.text)
    assert http.get("/api/sessions").json() == []
    held = http.post("/api/import", content=bomb(4000, 4000), headers={"content-type": "image/png"})
    assert held.status_code == 201 and held.json()["turns"][1]["instruction"] == "a tree"


def test_what_is_wrong_is_one_sentence(http: TestClient) -> None:
    session = begin(http)
    tell(http, session, "a tree")
    wrong: list[tuple[str, dict[str, Any], int, str]] = [
        ("turns", {"instruction": ""}, 422, "empty"),
        ("turns", {"instruction": "qqq"}, 422, "knows no word"),
        ("turns", {"instruction": "tree " * 400}, 422, "2,000 characters"),
        ("turns", {"instruction": "a tree\x00"}, 422, r"U\+0000"),
        ("turns", {"instruction": "a tree", "seed": -1}, 422, "seed"),
        ("turns", {"instruction": "a tree", "sead": 1}, 422, "sead"),
        ("turns", {"instruction": "a tree", "parent": 77}, 404, "no turn 77"),
        ("turns", {"told": "a tree"}, 422, "instruction"),
        ("candidates", {"instruction": "a tree", "count": 9}, 429, "at most 8"),
        ("goto", {"turn": 77}, 404, "no turn 77"),
        ("undo", {"steps": 2}, 400, "only 1 to undo"),
        ("redo", {}, 400, "nothing to redo"),
    ]
    for path, body, status, sentence in wrong:
        answer = http.post(f"{session}/{path}", json=body)
        assert answer.status_code == status and re.search(sentence, answer.json()["error"]), answer.text
        assert set(answer.json()) == {"error"} and "\n" not in answer.json()["error"]
    assert http.post(f"{session}/turns", content=b"{", headers={"content-type": "application/json"}).status_code == 422
    assert http.post(f"{session}/turns", json={"instruction": "a" * 70_000}).status_code == 413
    assert http.get("/api/nothing").json() == {"error": "not found"}
    assert http.put(f"{session}/turns/1/name", json={"name": "12"}).status_code == 400
    assert http.get(f"{session}/compare.png?turns=1").status_code == 400
    assert http.get(session).json()["count"] == 1


def test_one_users_drawings_are_not_anothers(http: TestClient) -> None:
    session = begin(http)
    tell(http, session, "a tree")
    other = stranger(http)
    for path in (
        "",
        "/turns/1",
        "/turns/1.png",
        "/export/drawing.json",
        "/export/picture.png",
        "/export/turns.gif",
        "/export/sheet.png",
        "/events",
        "/compare.png?turns=0&turns=1",
    ):
        assert http.get(session + path, headers=other).status_code == 404, path
    for path, body in (
        ("turns", {"instruction": "a tree"}),
        ("candidates", {"instruction": "a tree"}),
        ("again", {}),
        ("undo", {}),
        ("redo", {}),
        ("goto", {"turn": 0}),
        ("pick", {"turn": 0}),
    ):
        assert http.post(f"{session}/{path}", json=body, headers=other).status_code == 404, path
    assert http.put(f"{session}/turns/1/name", json={"name": "mine"}, headers=other).status_code == 404
    assert http.patch(session, json={"title": "mine"}, headers=other).status_code == 404
    assert http.delete(session, headers=other).status_code == 404
    assert http.get("/api/sessions", headers=other).json() == []
    assert http.get(session).json()["here"] == 1
    cookie = TestClient(http.app).get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    weak = TestClient(http.app, cookies={"telldraw_owner": "a"}).get("/api/sessions")
    assert "telldraw_owner=" in weak.headers["set-cookie"]


def test_drawings_of_one_person_are_bounded(tmp_path: Path) -> None:
    with client_on(tmp_path, settings=Settings(drawings=2)) as http:
        begin(http)
        begin(http)
        answer = http.post("/api/sessions", json={})
        assert answer.status_code == 429 and "delete one" in answer.json()["error"]
        assert http.post("/api/sessions", json={}, headers=stranger(http)).status_code == 201


def test_a_full_studio_answers_503_with_retry_after(tmp_path: Path) -> None:
    crowd = Crowd()
    with client_on(tmp_path, crowd, queue=2) as http:
        sessions = [begin(http) for _ in range(4)]
        crowd.open.clear()
        answers: dict[str, Any] = {}

        def asking(session: str) -> None:
            answers[session] = http.post(f"{session}/turns", json={"instruction": "a tree"})

        worker = http.app.state.studio.worker  # type: ignore[attr-defined]
        first = threading.Thread(target=asking, args=(sessions[0],))
        first.start()
        wait_for(lambda: worker._states is not None and crowd.open.is_set() is False and worker.waiting == 0)
        import time

        time.sleep(0.3)
        crowd_waiting = [threading.Thread(target=asking, args=(session,)) for session in sessions[1:3]]
        for one in crowd_waiting:
            one.start()
        wait_for(lambda: worker.waiting == 2)
        full = http.post(f"{sessions[3]}/turns", json={"instruction": "a tree"})
        assert full.status_code == 503 and int(full.headers["retry-after"]) >= 1
        assert "telldraw_refused_total" in http.get("/metrics").text
        crowd.open.set()
        for one in (first, *crowd_waiting):
            one.join()
        assert [answers[session].status_code for session in sessions[:3]] == [201] * 3
        assert http.get(sessions[3]).json()["count"] == 0


def test_what_happens_is_heard_as_it_happens(http: TestClient) -> None:
    session = begin(http)
    hub = http.app.state.studio.hub  # type: ignore[attr-defined]
    heard: list[str] = []

    def listening() -> None:
        with http.stream("GET", f"{session}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            heard.append("".join(stream.iter_text()))

    listener = threading.Thread(target=listening)
    listener.start()
    wait_for(lambda: hub.count == 1)
    tell(http, session, "a tree")
    http.post(f"{session}/undo")
    http.put(f"{session}/turns/1/name", json={"name": "dusk"})
    import time

    time.sleep(0.2)
    hub.close()  # as a server that stops does
    listener.join(20)
    assert re.findall(r"event: (\w+)", heard[0]) == ["drew", "moved", "named"]
    assert hub.count == 0


def test_weights_that_are_gone_or_changed_leave_drawings_readable(http: TestClient) -> None:
    session = begin(http)
    tell(http, session, "a tree")
    studio = http.app.state.studio  # type: ignore[attr-defined]
    changed = model(config={"n": 3})
    studio.catalogue.models["toy"] = changed
    whole = http.get(session).json()
    assert "other weights of the name toy" in whole["stale"]
    assert http.get(whole["picture"]).status_code == 200
    assert http.post(f"{session}/turns", json={"instruction": "the sun"}).status_code == 409
    document = http.get(f"{session}/export/drawing.json").content
    anew = http.post("/api/import", content=document, headers={"content-type": "application/json"})
    assert anew.status_code == 201 and anew.json()["stale"] == ""


# The door


def test_a_page_of_another_site_gets_nothing(http: TestClient) -> None:
    session = begin(http)
    foreign = {"origin": "http://evil.example"}
    assert http.post(f"{session}/turns", json={"instruction": "a tree"}, headers=foreign).status_code == 403
    assert http.get("/api/sessions", headers={"host": "evil.example"}).status_code == 400
    assert http.post(f"{session}/undo", headers={"origin": "http://testserver"}).status_code == 400  # nothing to undo
    for path in ("/", "/docs", "/api/studio", "/page/studio.js"):
        policy = http.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';") and "unsafe" not in policy


def test_a_studio_for_others_asks_for_its_token(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", token="abcdefgh1234")
    with client_on(tmp_path, settings=settings) as http:
        for path in ("/api/studio", "/api/sessions", "/openapi.json", "/metrics"):
            assert http.get(path).status_code == 401, path
        assert http.get("/health").status_code == 200
        assert http.get("/page/studio.css").status_code == 200
        asked = http.get("/")
        assert asked.status_code == 401 and "token of this studio" in asked.text
        assert http.get("/api/studio", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert http.get("/api/studio", headers={"authorization": "Bearer abcdefgh1234"}).status_code == 200
        assert http.post("/enter", data={"token": "wrong-one"}).status_code == 401
        entered = http.post("/enter", data={"token": "abcdefgh1234"}, follow_redirects=False)
        assert entered.status_code == 303 and "HttpOnly" in entered.headers["set-cookie"]
        assert http.get("/api/studio").status_code == 200
    with client_on(tmp_path, settings=settings) as http:
        assert http.get("/?token=abcdefgh1234", follow_redirects=False).headers["location"] == "/"
        assert http.get("/").status_code == 200


def test_who_listens_beyond_this_machine_has_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELLDRAW_TOKEN", raising=False)
    assert [is_local(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "example.org")] == [
        True
    ] * 3 + [False] * 3
    assert command._token(command.Studio(), True) == ""
    assert len(command._token(command.Studio(), False)) >= 20
    monkeypatch.setenv("TELLDRAW_TOKEN", "from-the-environment")
    assert command._token(command.Studio(), True) == "from-the-environment"
    for wrong in ("short", "with a space in it"):
        with pytest.raises(TelldrawError, match="--token"):
            command._token(command.Studio(token=wrong), False)


@pytest.mark.parametrize("flags", [("--port", "70000"), ("--queue", "0"), ("--weights", "nobody"), ("--database", "x")])
def test_flags_that_are_wrong_are_said_before_anything_listens(
    flags: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLDRAW_HOME", str(tmp_path))
    with pytest.raises(TelldrawError):
        command.run(list(flags))


# For those who run it


def test_health_metrics_and_the_page_of_the_api(http: TestClient) -> None:
    session = begin(http)
    tell(http, session, "a tree")
    assert http.get("/health").json() == {"status": "ok"}
    text = http.get("/metrics").text
    assert 'telldraw_turns_total{weights="toy"} 1.0' in text and "process_resident_memory_bytes" in text
    assert 'telldraw_requests_total{method="POST",route="/api/sessions/{session}/turns",status="201"} 1.0' in text
    page = http.get("/docs").text
    assert "/page/reference.js" in page and "http" not in re.sub(r"<title>.*</title>", "", page).lower().replace(
        "http api", ""
    )
    paths = http.get("/openapi.json").json()["paths"]
    assert len(paths) > 20 and all(what.get("description") for path in paths.values() for what in path.values())
    http.app.state.studio.worker.stop()  # type: ignore[attr-defined]
    assert http.get("/health").status_code == 503


def test_the_page_names_no_other_machine() -> None:
    for file in PAGE.iterdir():
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", file.read_text(encoding="utf-8")))
        assert addresses <= {"http://www.w3.org/2000/svg"}, file.name
