"""The light engine: a turn as an ONNX graph paints what torch paints, alone and in batches, and needs no torch."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import telldraw
from telldraw import cli, pixels, weights
from telldraw.drawing import export
from telldraw.drawing.engine import TorchEngine
from telldraw.drawing.noise import noise
from telldraw.drawing.onnx_engine import OnnxEngine
from telldraw.drawing.session import Drawer
from telldraw.errors import TelldrawError, WeightsError
from telldraw.systems import geneva
from telldraw.text import Vocabulary

onnx = pytest.importorskip("onnx", reason="telldraw[export] is not installed")
pytest.importorskip("onnxscript", reason="telldraw[export] is not installed")

WORDS = Vocabulary(("<pad>", "<unk>", "<teller>", *"a the tree sun on left right large of it above".split()))
TOLD = [
    "a large tree on the left",
    "the sun above it",
    "a tree",
    "the tree on the right of the large tree on the left of the sun",
    "it",
    "a sun on the right",
    "a xylophone of the tree",
    "large",
    "a tree above the sun",
    "the sun",
]
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    # everything else that a drawer may have: one export for all
    "all": {"plan": True, "iterative": False, "self_attention": True, "generator_spectral": True},
}


@pytest.fixture(scope="session", params=SETTINGS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small GeNeVA that nobody trained, with its graph beside them. Do not change the folder."""
    torch.manual_seed(0)
    config = dataclasses.replace(geneva.PRESETS["tiny"], vocabulary_size=len(WORDS), **SETTINGS[request.param])
    system = geneva.System(config).eval()
    system.background.uniform_(-1, 1)
    folder = tmp_path_factory.mktemp("onnx") / request.param
    weights.save(folder, system, WORDS, {"name": request.param, "system": "geneva", "aspect": 1.25})
    export.write(weights.load(folder), folder)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """That folder, to be changed."""
    return shutil.copytree(folder, tmp_path / "copy")


def apart(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of two pictures, in levels of 255."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


# The graph


def test_ten_turns_are_within_one_level_of_torch(folder: Path) -> None:
    engines: list[Any] = [OnnxEngine(folder), TorchEngine(weights.load(folder))]
    light, heavy = (Drawer(engine).start(seed=3) for engine in engines)
    for turn in TOLD:
        before = heavy.image
        light, heavy = light.tell(turn), heavy.tell(turn)
        assert apart(np.asarray(light.image), np.asarray(heavy.image)) <= 1, turn
        assert heavy.image.tobytes() != before.tobytes(), "a turn that changes nothing compares nothing"
    assert engines[0].noise_dim == engines[1].noise_dim and engines[0].aspect == engines[1].aspect == 1.25


def test_the_words_and_the_noise_reach_the_picture(folder: Path) -> None:
    blank = Drawer(OnnxEngine(folder)).start(seed=1)
    tree = blank.tell("a large tree")
    assert tree.image.tobytes() != blank.tell("the sun").image.tobytes()
    assert tree.image.tobytes() != blank.tell("a large tree", seed=2).image.tobytes()
    assert tree.tell("it").image.tobytes() != blank.tell("it").image.tobytes(), "it remembers"
    assert tree.image.tobytes() == blank.tell("a large tree").image.tobytes()


def test_both_engines_start_from_the_same_canvas(folder: Path) -> None:
    light, heavy = Drawer(OnnxEngine(folder)).start(), Drawer(TorchEngine(weights.load(folder))).start()
    assert light.image.tobytes() == heavy.image.tobytes() and len(set(light.image.tobytes())) > 100


@pytest.mark.parametrize("which", ["onnx", "torch"])
def test_a_padded_batch_paints_what_single_turns_paint(folder: Path, which: str) -> None:
    engine: Any = OnnxEngine(folder) if which == "onnx" else TorchEngine(weights.load(folder))
    # conversations of different length, told sentences of different length
    states, words, noises = [], [], []
    for index, told in enumerate((TOLD[:1], TOLD[:4], [], TOLD[2:4], TOLD[3:5])):
        state = engine.start()
        for depth, turn in enumerate(told, 1):
            state = engine.turn(state, WORDS.read(turn), noise(index, depth, engine.noise_dim))
        states.append(state)
        words.append(WORDS.read(TOLD[2 * index]))
        noises.append(noise(index, len(told) + 1, engine.noise_dim))
    pictures = [engine.picture(state) for state in states]
    alone = [engine.turn(*one) for one in zip(states, words, noises, strict=True)]
    batched = engine.turns(states, words, noises)
    assert len(batched) == len(states)
    for one, other in zip(alone, batched, strict=True):
        assert apart(engine.picture(one), engine.picture(other)) <= 1
        further = [engine.turn(state, WORDS.read("the sun"), noises[0]) for state in (one, other)]
        assert apart(*map(engine.picture, further)) <= 1, "what comes after a batch sees nothing of its padding"
    assert all(np.array_equal(engine.picture(s), p) for s, p in zip(states, pictures, strict=True)), "states are values"


def test_the_graph_is_of_plain_operators_and_free_in_batch_and_length(folder: Path) -> None:
    graph = onnx.load(folder / weights.ONNX)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", export.OPSET)]
    shapes = {
        entry.name: [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        for entry in graph.graph.input
    }
    assert shapes["canvas"] == ["batch", 3, 32, 32] and shapes["instruction"] == ["batch", "words"]
    assert next(iter(shapes)) == "canvas" and graph.graph.output[0].name == "next_canvas"
    assert b".py" not in (folder / weights.ONNX).read_bytes(), "nothing about the machine that wrote it"


@pytest.mark.parametrize(("dtype", "size", "mean"), [("float16", 0.62, 0.1), ("int8", 0.45, 8.0)])
def test_smaller_weights_draw_nearly_the_same(folder: Path, copy: Path, dtype: Any, size: float, mean: float) -> None:
    graph = onnx.load(folder / weights.ONNX)
    export._store(graph, dtype)
    onnx.save(graph, copy / weights.ONNX)
    assert (copy / weights.ONNX).stat().st_size < size * (folder / weights.ONNX).stat().st_size
    found = export.differences(weights.load(folder), copy)
    assert found.shape == (10, 32, 32, 3) and 0 < found.mean() < mean


@given(
    values=st.integers(2, 4).flatmap(lambda axes: st.tuples(st.just(axes), st.integers(0, 2**31), st.floats(1e-3, 1e3)))
)
@settings(max_examples=25, deadline=None)
def test_int8_is_off_by_half_a_step_of_its_row_at_most(values: tuple[int, int, float]) -> None:
    axes, seed, size = values
    tensor = (size * np.random.RandomState(seed).standard_normal((3, 4, 5, 2)[:axes])).astype(np.float32)
    whole, scale = export.rows_as_int8(tensor)
    assert whole.dtype == np.int8 and (np.abs(whole * scale - tensor) <= 0.501 * scale).all()
    assert np.abs(whole).max() == 127 and scale.size == (3 if axes != 3 else 12)


def test_numpys_pixels_are_torchs(folder: Path) -> None:
    levels = np.linspace(-1.2, 1.2, 3 * 41 * 43, dtype=np.float32).reshape(1, 3, 41, 43)
    assert np.array_equal(pixels.from_floats(levels), pixels.to_arrays(torch.from_numpy(levels)))


# Which engine


def test_the_graph_draws_unless_torch_is_asked_for(folder: Path, copy: Path) -> None:
    assert isinstance(telldraw.drawer(folder).engine, OnnxEngine)
    assert isinstance(telldraw.drawer(folder, engine="torch").engine, TorchEngine)
    (copy / weights.ONNX).unlink()
    assert isinstance(telldraw.drawer(copy).engine, TorchEngine)
    with pytest.raises(WeightsError, match="telldraw export .*copy --onnx"):
        telldraw.drawer(copy, engine="onnx")
    with pytest.raises(TelldrawError, match="'onnx' draws on|onnx draws on the device cpu"):
        telldraw.drawer(folder, device="cuda", engine="onnx")
    with pytest.raises(TelldrawError, match="no engine 'tensorflow'"):
        telldraw.drawer(folder, engine="tensorflow")  # type: ignore[arg-type]


def test_a_folder_of_the_graph_alone_draws(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert telldraw.drawer(copy).start().tell("a tree").image.size == (32, 32)
    with pytest.raises(WeightsError, match="no model.safetensors; model.onnx is there"):
        telldraw.drawer(copy, engine="torch")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"no graph"), "model.onnx is damaged"),
        (lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:5000]), "model.onnx is damaged"),
        (lambda f: (f / "start.npz").unlink(), "start.npz cannot be read"),
        (lambda f: (f / "start.npz").write_bytes(b"PK\x03\x04"), "start.npz cannot be read"),
        (lambda f: np.savez(f / "start.npz", canvas=np.zeros(3)), "start.npz does not fit the graph"),
        (lambda f: np.savez(f / "start.npz", canvas=np.zeros((1, 3, 8, 8))), "start.npz does not fit the graph"),
        (lambda f: (f / "vocabulary.json").write_text('["<pad>", "<unk>"]'), "vocabulary.json has 2 words"),
    ],
)
def test_what_is_wrong_with_a_graph_is_a_sentence(copy: Path, spoil: Any, sentence: str) -> None:
    spoil(copy)
    with pytest.raises(WeightsError, match=sentence) as raised:
        telldraw.drawer(copy)
    assert str(copy) in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) < 500


def test_a_start_state_is_never_unpickled(copy: Path) -> None:
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(copy / "start.npz", **dict.fromkeys(("canvas", "hidden", "said"), pickled))
    with pytest.raises(WeightsError, match="start.npz cannot be read"):
        telldraw.drawer(copy)


# Without torch

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "safetensors", "onnx", "onnxscript", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from telldraw.cli import main
code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


def without_torch(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process in which nothing but the light core can be imported."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(telldraw.__file__).parents[1]), *sys.path])}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_drawing_loads_no_torch(folder: Path, tmp_path: Path) -> None:
    done = without_torch("draw", *TOLD[:2], "--weights", str(folder), "--out", "it.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    here = telldraw.drawer(folder).start().tell(TOLD[0]).tell(TOLD[1]).image
    from PIL import Image

    with Image.open(tmp_path / "it.png") as there:
        assert there.size > here.size
    done = without_torch("draw", "a tree", "--continue", "it.png", "--weights", str(folder), folder=tmp_path)
    assert done.returncode == 0 and Path(tmp_path, done.stdout.strip()).is_file(), done.stderr


@pytest.mark.parametrize("words", [("weights",), ("systems",), ("data",), ("--version",)], ids=" ".join)
def test_the_tables_need_no_torch(words: tuple[str, ...], tmp_path: Path) -> None:
    done = without_torch(*words, folder=tmp_path)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_what_needs_torch_says_what_to_install(folder: Path, copy: Path, prepared: Path, tmp_path: Path) -> None:
    (copy / weights.ONNX).unlink()
    for words in (
        ("draw", "a tree", "--weights", str(folder), "--engine", "torch"),
        ("draw", "a tree", "--weights", str(copy)),
        ("evaluate", str(folder), "--data", str(prepared)),
        ("train", "geneva", "--data", str(prepared), "--preset", "tiny"),
        ("export", str(folder), "--onnx", "--out", "new"),
    ):
        done = without_torch(*words, folder=tmp_path)
        extra = "export" if words[0] == "export" else "train"
        assert done.returncode == 2 and f"pip install 'telldraw[{extra}]'" in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1 and not (tmp_path / "new.part").exists()


# What comes with telldraw

BOTH = [f for f in weights.at_hand().values() if (f / weights.ONNX).is_file() and list(f.glob("*.safetensors"))]


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.name)
def test_a_graph_at_hand_is_of_the_weights_beside_it(path: Path) -> None:
    """In the mean, because a plan may put an object into the next cell where another processor rounds otherwise."""
    assert export.differences(weights.load(path), path).mean() < 0.5


# The command


def exported(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let `telldraw export` take the graph that is there, instead of tracing the same one again for half a minute."""
    monkeypatch.setattr(export, "_graph", lambda loaded, parts: onnx.load(folder / weights.ONNX))


def test_export_writes_a_folder_that_draws(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(monkeypatch, folder)
    out = tmp_path / "new"
    assert cli.main(["export", str(folder), "--onnx", "--out", str(out), "--only-onnx", "--dtype", "float16"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n" and "float16" in said.err and "of 255 levels" in said.err
    assert sorted(path.name for path in out.iterdir()) == [
        *("README.md", "config.json", "model.onnx", "start.npz", "vocabulary.json")
    ]
    card = json.loads((out / "config.json").read_text())
    assert card["name"] == "new" and card["onnx"] == {"dtype": "float16"}
    assert (out / "README.md").read_text().startswith("# new\n")
    assert telldraw.drawer(out).start().tell("a tree").engine.name == "new"
    assert cli.main(["export", str(folder), "--onnx", "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_export_into_the_weights_own_folder(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(monkeypatch, shutil.copytree(copy, copy.parent / "other"))
    (copy / weights.ONNX).unlink()
    before = (copy / "model.safetensors").read_bytes()
    assert cli.main(["export", str(copy), "--onnx"]) == 0
    assert (copy / "model.safetensors").read_bytes() == before and not list(copy.glob("*.part"))
    assert isinstance(telldraw.drawer(copy).engine, OnnxEngine)
    assert json.loads((copy / "config.json").read_text())["onnx"] == {"dtype": "float16"}


def test_a_copy_without_a_graph(copy: Path, tmp_path: Path) -> None:
    (copy / weights.ONNX).unlink()
    assert cli.main(["export", str(copy), "--out", str(tmp_path / "plain")]) == 0
    assert weights.load(tmp_path / "plain").name == "plain"
    assert "onnx" not in json.loads((tmp_path / "plain" / "config.json").read_text())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "say what to write"),
        (("--onnx", "--only-onnx"), "--only-onnx needs"),
        (("--onnx", "--out", "no/such/folder"), "there is no folder"),
        (("--onnx", "--dtype", "float8"), "float8"),
    ],
)
def test_what_is_wrong_with_a_request(
    folder: Path, words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(folder), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_what_does_not_converse_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="odd hold vae, which does not draw turn by turn"):
        export.write(weights.Loaded("odd", torch.nn.Linear(1, 1), WORDS, {"system": "vae"}), tmp_path)


def test_a_weight_too_large_for_float16_is_named() -> None:
    graph = onnx.helper.make_model(
        onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(np.full(2000, 1e5, np.float32), "huge")])
    )
    with pytest.raises(WeightsError, match="huge has a number that float16 cannot hold"):
        export._store(graph, "float16")
