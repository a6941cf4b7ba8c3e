"""The worker: one thread, turns in order, waiting ones drawn together, a queue that ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio_like import Crowd, model, pixels, replayed, wait_for, worker_on  # noqa: E402
from telldraw.drawing import drawer  # noqa: E402
from telldraw.drawing.noise import noise  # noqa: E402
from telldraw.drawing.session import Drawer  # noqa: E402
from telldraw.errors import InstructionError, TelldrawError, WeightsError  # noqa: E402
from telldraw.studio.catalogue import PAGES, SCENES, Catalogue, Page, load  # noqa: E402
from telldraw.studio.jobs import Answer, FullError, Job, TooManyError  # noqa: E402
from telldraw.studio.store import LimitError, NotFoundError  # noqa: E402
from telldraw.studio.worker import Worker, together  # noqa: E402
from telldraw.weights import DEFAULT  # noqa: E402

Made = Callable[..., tuple[Worker, Crowd]]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A worker and its drawer; stopped afterwards."""
    workers: list[tuple[Worker, Crowd]] = []

    def make(**limits: int) -> tuple[Worker, Crowd]:
        crowd = Crowd()
        worker = worker_on(tmp_path, crowd, **limits)
        worker.start()
        workers.append((worker, crowd))
        return worker, crowd

    yield make
    for worker, crowd in workers:
        crowd.open.set()
        worker.stop()
        worker.store.close()


def begin(worker: Worker, count: int = 1, seed: int = 0) -> list[str]:
    """New drawings."""
    checksum = worker.catalogue["toy"].checksum
    return [worker.store.create("me", "toy", checksum, seed=seed) for _ in range(count)]


def tell(worker: Worker, drawing: str, instruction: str, **more: Any) -> Job:
    """A turn, asked for."""
    return worker.submit(Job(drawing, "toy", "tell", instruction, **more))


def answer(job: Job) -> Answer:
    """What came of it."""
    return job.future.result(20)


def held(worker: Worker, crowd: Crowd) -> None:
    """Have the worker busy with one turn, so that what is asked now waits."""
    crowd.open.clear()
    tell(worker, begin(worker)[0], "a tree")
    wait_for(lambda: worker.waiting == 0)


def test_turns_that_wait_are_drawn_together_and_come_out_as_if_alone(made: Made) -> None:
    worker, crowd = made(batch=4)
    held(worker, crowd)
    drawings = begin(worker, 6)
    jobs = [tell(worker, drawing, "a tree", seed=n) for n, drawing in enumerate(drawings)]
    crowd.open.set()
    for n, job in enumerate(jobs):
        turn = answer(job).turns[0]
        assert pixels(worker.store.picture(drawings[n], turn.number) or b"") == replayed([("a tree", n)])
    assert crowd.batches == [1, 4, 2]


def test_turns_of_one_drawing_keep_their_order_and_none_shares_a_pass(made: Made) -> None:
    worker, crowd = made()
    held(worker, crowd)
    one, other = begin(worker, 2)
    told = ["a tree", "the sun", "on the left", "a large tree"]
    jobs = [tell(worker, drawing, instruction) for instruction in told for drawing in (one, other)]
    crowd.open.set()
    for job in jobs:
        answer(job)
    for drawing in (one, other):
        opened = worker.store.open(drawing)
        assert [turn.instruction for turn in opened.turns[1:]] == told
        assert [turn.parent for turn in opened.turns[1:]] == [0, 1, 2, 3]
    assert crowd.batches == [1, 2, 2, 2, 2]


def test_a_move_waits_for_the_turns_before_it(made: Made) -> None:
    worker, crowd = made()
    held(worker, crowd)
    drawing = begin(worker)[0]
    tell(worker, drawing, "a tree")
    tell(worker, drawing, "the sun")
    undo = worker.submit(Job(drawing, "toy", "move", action=lambda: worker.store.undo(drawing, "me")))
    last = tell(worker, drawing, "on the left")
    crowd.open.set()
    assert undo.future.result(20).here == 1
    assert answer(last).turns[0].parent == 1


def test_a_full_queue_says_when_to_come_back(made: Made) -> None:
    worker, crowd = made(queue=3, waiting=2)
    held(worker, crowd)
    one, other, third = begin(worker, 3)
    jobs = [tell(worker, one, "a tree"), tell(worker, one, "the sun")]
    with pytest.raises(TooManyError):
        tell(worker, one, "on the left")
    jobs.append(tell(worker, other, "a tree"))
    with pytest.raises(FullError) as full:
        tell(worker, third, "a tree")
    assert full.value.retry >= 1 and not isinstance(full.value, TooManyError)
    crowd.open.set()
    for job in jobs:
        answer(job)
    assert worker.store.head(third).count == 0
    answer(tell(worker, third, "a tree"))


def test_stopping_draws_what_waits_and_takes_no_more(made: Made) -> None:
    worker, crowd = made()
    held(worker, crowd)
    drawings = begin(worker, 3)
    jobs = [tell(worker, drawing, "a tree") for drawing in drawings]
    crowd.open.set()
    worker.stop()
    assert all(job.future.done() for job in jobs) and not worker.alive
    assert [worker.store.head(drawing).count for drawing in drawings] == [1, 1, 1]
    with pytest.raises(FullError):
        tell(worker, drawings[0], "the sun")


def test_the_same_turn_and_the_same_request_are_drawn_once(made: Made) -> None:
    worker, crowd = made()
    drawing = begin(worker)[0]
    first = answer(tell(worker, drawing, "a tree", turn=0))
    again = answer(tell(worker, drawing, "a tree", turn=0))
    assert first.new and not again.new and again.turns[0].number == first.turns[0].number
    keyed = answer(tell(worker, drawing, "the sun", key="k"))
    assert answer(tell(worker, drawing, "the sun", key="k")).turns == keyed.turns
    assert len(crowd.batches) == 2 and worker.store.head(drawing).here == keyed.turns[0].number


def test_again_and_candidates_take_seeds_not_tried_here(made: Made) -> None:
    worker, _ = made()
    drawing = begin(worker, seed=5)[0]
    answer(tell(worker, drawing, "a tree"))
    again = answer(worker.submit(Job(drawing, "toy", "again"))).turns[0]
    assert (again.seed, again.parent, again.instruction) == (6, 0, "a tree")
    assert answer(tell(worker, drawing, "the sun")).turns[0].seed == 6
    worker.submit(Job(drawing, "toy", "move", action=lambda: worker.store.goto(drawing, None, 0)))
    four = answer(worker.submit(Job(drawing, "toy", "candidates", "a tree", count=4))).turns
    assert [turn.seed for turn in four] == [7, 8, 9, 10] and not any(turn.shown for turn in four)
    assert len({turn.candidates for turn in four}) == 1 and worker.store.head(drawing).here == 0
    for turn in four:
        assert pixels(worker.store.picture(drawing, turn.number) or b"") == replayed([("a tree", turn.seed)])


def test_what_cannot_be_drawn_troubles_nobody_else(made: Made) -> None:
    worker, crowd = made(turns=2)
    held(worker, crowd)
    good, bad, gone = begin(worker, 3)
    jobs = [tell(worker, bad, "xylophone"), tell(worker, good, "a tree"), tell(worker, gone, "a tree")]
    jobs.append(worker.submit(Job(bad, "toy", "again")))
    jobs.append(tell(worker, good, "the sun", turn=99))
    worker.store.delete(gone, "me")
    crowd.open.set()
    assert answer(jobs[1]).turns[0].number == 1
    for job, error in (
        (jobs[0], InstructionError),
        (jobs[2], NotFoundError),
        (jobs[3], TelldrawError),
        (jobs[4], NotFoundError),
    ):
        with pytest.raises(error):
            answer(job)
    answer(tell(worker, good, "the sun"))
    with pytest.raises(LimitError, match="2 turns, the most"):
        answer(tell(worker, good, "on the left"))


def test_a_drawer_that_fails_says_so_and_the_next_turn_is_drawn(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, crowd = made()
    drawing = begin(worker)[0]
    with monkeypatch.context() as patch:
        patch.setattr(Crowd, "picture", lambda self, state: (_ for _ in ()).throw(WeightsError("not a number")))
        with pytest.raises(WeightsError, match="not a number"):
            answer(tell(worker, drawing, "a tree"))
    assert worker.store.head(drawing).count == 0
    assert answer(tell(worker, drawing, "a tree")).turns[0].number == 1 and crowd.batches == [1, 1]


def test_states_in_memory_are_bounded_and_drawn_anew_when_needed(made: Made) -> None:
    worker, crowd = made(states=3)
    drawing = begin(worker)[0]
    told = ["a tree", "the sun", "on the left", "a large tree", "the tree", "left"]
    for instruction in told:
        answer(tell(worker, drawing, instruction))
    assert worker.remembered == 3
    turn = answer(tell(worker, drawing, "and the sun", turn=2)).turns[0]
    assert pixels(worker.store.picture(drawing, turn.number) or b"") == replayed(
        [("a tree", 0), ("the sun", 0), ("and the sun", 0)]
    )
    assert worker.remembered == 3 and len(crowd.batches) == 9


def test_pictures_that_are_missing_are_drawn_and_progress_is_said(made: Made) -> None:
    worker, crowd = made(batch=2)
    drawing = begin(worker)[0]
    for instruction, parent in (("a tree", 0), ("the sun", 1), ("left", 1), ("right", 1), ("and", 3)):
        answer(tell(worker, drawing, instruction, turn=parent))
    before = [worker.store.picture(drawing, number) for number in range(1, 6)]
    with worker.store._writing.begin() as connection:
        from telldraw.studio.tables import turns

        connection.execute(turns.update().values(picture=None))
    heard: list[tuple[int, int]] = []
    job = Job(drawing, "toy", "fill", said=lambda _, content: heard.append((content["done"], content["total"])))
    assert worker.submit(job).future.result(20) == 6
    assert [worker.store.picture(drawing, number) for number in range(1, 6)] == before
    assert heard == [(1, 6), (2, 6), (4, 6), (5, 6), (6, 6)]


def test_the_drawer_that_comes_with_it_draws_a_batch_as_it_draws_one() -> None:
    engine = drawer().engine
    scene = load(DEFAULT).scenes[0]
    alone = [Drawer(engine).start(n).tell(scene[0]).tell(scene[n % 2]) for n in range(3)]
    states = [canvas.parent.state for canvas in alone if canvas.parent]
    noises = [noise(n, 2, engine.noise_dim) for n in range(3)]
    after = together(engine, states, [list(canvas.words) for canvas in alone], noises)
    for canvas, state in zip(alone, after, strict=True):
        one, many = engine.picture(canvas.state).astype(int), engine.picture(state).astype(int)
        assert np.abs(one - many).max() <= 1


# Weights


def test_a_capability_gives_its_weights_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from telldraw import systems

    assert Catalogue([model()]).pages() == [
        {"capability": "Conversational", "title": "Draw by telling", "script": "draw.js", "weights": ["toy"]}
    ]
    monkeypatch.setitem(systems.SYSTEMS, "slider", systems.Entry("Draws what sliders say", "Nobody 2030", ("Sliding",)))
    monkeypatch.setitem(PAGES, "Sliding", Page("Sliders", "sliders.js"))
    pages = Catalogue([model(), model(name="sliders", system="slider")]).pages()
    assert [(page["capability"], page["weights"]) for page in pages] == [
        ("Conversational", ["toy"]),
        ("Sliding", ["sliders"]),
    ]


def test_examples_come_from_the_weights_and_hold_no_unknown_word() -> None:
    assert model().scenes == [["a tree on the left", "the sun on the right", "a large tree"]]
    assert model(scenes=[["a tree"], ["a xylophone"]]).scenes == [["a tree"]]
    assert model(scenes=None, data="codraw").scenes == [["tree"], ["left"], ["right"], ["large"], ["undo"]]
    assert load(DEFAULT).scenes == [list(scene) for scene in SCENES["iclevr"]]


def test_unknown_words_are_found_where_they_stand() -> None:
    marks = model().marks("\U0001f333 a lagre tree's, (xylophone)!")
    assert [(mark["word"], mark["start"], mark["near"]) for mark in marks] == [
        ("lagre", 5, ["large"]),
        ("xylophone", 20, []),
    ]
    assert model().marks("a tree") == [] and model().unknown("a lagre tree") == {"lagre": ["large"]}


def test_weights_that_changed_are_noticed(tmp_path: Path) -> None:
    one = model()
    catalogue = Catalogue([one])
    assert catalogue.of("toy", one.checksum) is one
    with pytest.raises(WeightsError, match="other weights of the name toy"):
        catalogue.of("toy", "0" * 64)
    with pytest.raises(WeightsError, match="choose from toy"):
        catalogue["nobody"]
    assert model(config={"resolution": 9}).checksum != one.checksum
