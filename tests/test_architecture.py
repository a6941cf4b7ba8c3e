"""The house as `docs/architecture.md` draws it: which part may import which, what stays light, how long things get."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "telldraw"
MODULES = sorted(PACKAGE.rglob("*.py"))

ARROWS: dict[str, set[str]] = {
    # the top: each part is the first word of a module's name inside the package
    "__main__": {"cli"},
    "cli": {"commands", "errors"},
    "commands": {
        *("data", "training", "metrics", "drawing", "studio"),
        *("systems", "objectives", "weights", "protocols", "batches", "text", "pixels", "errors"),
    },
    # the five that never import one another, but for studio -> drawing; of systems they see the table alone
    "data": {"batches", "text", "pixels", "errors"},
    "training": {"systems", "weights", "protocols", "batches", "text", "pixels", "errors"},
    "metrics": {"blocks", "systems", "weights", "protocols", "batches", "text", "pixels", "errors"},
    "drawing": {"systems", "weights", "protocols", "batches", "text", "pixels", "errors"},
    "studio": {"drawing", "systems", "weights", "protocols", "batches", "text", "pixels", "errors"},
    # what is trained
    "systems": {"blocks", "objectives", "batches", "protocols", "text", "pixels", "errors"},
    "blocks": {"errors"},
    "objectives": {"errors"},
    # the bottom
    "weights": {"systems", "text", "errors"},
    "batches": {"text"},
    "text": {"errors"},
    "protocols": set(),
    "pixels": set(),
    "errors": set(),
    "__init__": {"drawing"},
}
BUILDS_ON: dict[str, set[str]] = {"style_autoencoder": {"stylegan"}, "bicyclegan": {"gan_cls"}}
"""Systems whose paper builds on another's, and so may import it."""

FUNCTION_LINES, MODULE_LINES = 60, 400
LONGER: dict[str, int] = {
    # one system, one file: the paper's networks, update rule and drawing, read top to bottom
    "systems/geneva.py": 630,
    "systems/vqvae.py": 545,
    "systems/cgan.py": 450,
    "systems/tedigan.py": 480,
    "systems/stackgan.py": 450,
}
"""Modules that may have more lines than the budget, and why."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module of telldraw that a file imports, at its top or inside a function: "systems", "data.archive"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "telldraw":
                    yield alias.name.removeprefix("telldraw").removeprefix(".") or "__init__"
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)} line {node.lineno}: imports are absolute"
            if node.module == "telldraw":
                for alias in node.names:
                    is_module = (PACKAGE / alias.name).is_dir() or (PACKAGE / f"{alias.name}.py").is_file()
                    yield alias.name if is_module else "__init__"
            elif node.module and node.module.startswith("telldraw."):
                inside = node.module.removeprefix("telldraw.")
                for alias in node.names:
                    deeper = PACKAGE.joinpath(*inside.split("."), f"{alias.name}.py")
                    yield f"{inside}.{alias.name}" if deeper.is_file() else inside


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_arrows_point_down(path: Path) -> None:
    part = part_of(path)
    assert part in ARROWS, f"{name_of(path)} belongs to no part; say in ARROWS what it may import"
    for module in imports(path):
        other = module.split(".")[0]
        if other == "__init__":  # the version alone
            assert part in ("cli", "commands"), f"{name_of(path)} imports the package it is part of"
        elif other != part:
            assert other in ARROWS[part], f"{name_of(path)} imports telldraw.{module}: {part} may not see {other}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_systems_are_seen_through_their_table_alone(path: Path) -> None:
    seen = {module.split(".")[1] for module in imports(path) if module.startswith("systems.")}
    mine = path.stem if part_of(path) == "systems" else None
    assert seen <= BUILDS_ON.get(mine or "", set()), f"{name_of(path)} names a system; use telldraw.systems.load"


def test_no_command_imports_another() -> None:
    """What two commands need is a module without `run`, or belongs to a layer below."""
    bodies = {
        path.stem: ast.parse(path.read_text(encoding="utf-8")).body for path in MODULES if part_of(path) == "commands"
    }
    runs = {name for name, body in bodies.items() if "run" in {getattr(node, "name", "") for node in body}}
    for name in bodies:
        seen = {
            module.split(".")[1] for module in imports(PACKAGE / "commands" / f"{name}.py") if "commands." in module
        }
        assert not seen & runs, f"commands/{name}.py imports the command {seen & runs}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_budgets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    assert lines <= LONGER.get(name_of(path), MODULE_LINES), f"{name_of(path)} has {lines} lines: split it by subject"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{name_of(path)}: {node.name} has {length} lines"
            positional = [arg.arg for arg in node.args.args if arg.arg not in ("self", "cls")]
            assert len(positional) <= 6, f"{name_of(path)}: {node.name} takes {len(positional)} positional arguments"


def test_nothing_is_called_utils() -> None:
    assert not [name_of(path) for path in MODULES if path.stem in ("utils", "util", "helpers", "misc", "common")]


def test_pixels_are_converted_in_one_place() -> None:
    for path in MODULES:
        if path.name != "pixels.py":
            assert "127.5" not in path.read_text(encoding="utf-8"), f"{name_of(path)}: conversion belongs to pixels.py"


# --- light import -------------------------------------------------------------------------------------------------


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after `code`."""
    code += "\nimport sys; print(chr(10).join(['', '-- modules', *{name.split('.')[0] for name in sys.modules}]))"
    path = [str(PACKAGE.parent), *sys.path]
    setup = f"import sys; sys.path[:] = {path!r}\n"
    done = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.partition("-- modules\n")[2].split())


def help_of(*words: str) -> str:
    return f"from telldraw.cli import main\nassert main({list(words)!r}) == 0\n"


def test_importing_telldraw_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "PIL", "tyro", "pydantic", "rich", "safetensors", "tensorboard"}
    assert not loaded_after("import telldraw; telldraw.__version__") & heavy


@pytest.mark.parametrize(
    "words", [("--help",), ("draw", "--help"), ("evaluate", "--help"), ("prepare", "codraw", "--help")], ids=" ".join
)
def test_help_loads_no_torch(words: tuple[str, ...]) -> None:
    assert not loaded_after(help_of(*words)) & {"torch", "torchvision", "safetensors", "tensorboard", "scipy"}


def test_the_tables_load_no_torch() -> None:
    code = (
        "import telldraw.systems, telldraw.data, telldraw.metrics, telldraw.weights, telldraw.text, telldraw.protocols"
    )
    for module in code.removeprefix("import ").split(", "):
        if module != "telldraw.protocols":  # names tensors
            assert "torch" not in loaded_after(f"import {module}"), module
