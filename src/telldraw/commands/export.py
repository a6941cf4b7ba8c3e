"""`telldraw export`: a weights folder for others, and one turn as an ONNX graph, which draws without torch."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from telldraw.errors import TelldrawError, WeightsError


@dataclass(frozen=True)
class Export:
    """Write weights as a folder that others can draw with: with --onnx also without torch.

    Prints the path of what was written, and how far the graph draws from torch over ten turns.
    """

    weights: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|WEIGHTS")]
    """The folder of a training run, a weights folder, or a name from `telldraw weights`."""
    onnx: bool = False
    """Write one turn as an ONNX graph, for the light engine. Needs telldraw[export]."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """The new folder; the weights are then called like it. Default with --onnx: into the weights' own folder."""
    dtype: Literal["float32", "float16", "int8"] = "float16"
    """How the graph keeps its large weights. It computes in float32."""
    only_onnx: bool = False
    """Leave model.safetensors out of the new folder: half the size, but nothing for torch, and so for a GPU."""


def run(argv: list[str]) -> None:
    """Write; an existing folder is never changed but for the graph in it."""
    options = tyro.cli(Export, args=argv, prog="telldraw export", config=(tyro.conf.FlagCreatePairsOff,))
    _check(options)
    from telldraw.weights import ONNX, find

    source = find(options.weights)
    if options.out is None:
        path = _graph(options, source, source)
        about = _described(source, None, options.dtype)
        _write_whole(source / "config.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        print(path)
        return
    part = options.out.with_name(options.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(source, part, ignore=shutil.ignore_patterns(*_left_out(options)))
        if options.onnx:
            _graph(options, source, part)
        about = _described(source, options.out.name, options.dtype if (part / ONNX).is_file() else None)
        _write_whole(part / "config.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        _rename_card(part / "README.md", options.out.name)
        os.replace(part, options.out)
    except OSError as error:
        raise TelldrawError(f"--out {options.out} cannot be written: {error.strerror}; choose another") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print(options.out)


def _check(options: Export) -> None:
    if not options.onnx and options.out is None:
        raise TelldrawError("say what to write: --onnx, for drawing without torch, or --out FOLDER, for a copy")
    if options.only_onnx and not (options.onnx and options.out):
        raise TelldrawError(
            "--only-onnx needs --onnx and --out FOLDER: it leaves model.safetensors out of a new folder"
        )
    out = options.out
    if out is not None and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise TelldrawError(f"--out {out} is there already; name a new folder, or remove it first")
    if out is not None and not out.absolute().parent.is_dir():
        raise TelldrawError(f"--out {out}: there is no folder {out.absolute().parent}")


def _left_out(options: Export) -> list[str]:
    """A graph that is not made anew is copied; one that is, is not."""
    return ["*.onnx", "start.npz"] * options.onnx + ["*.safetensors"] * options.only_onnx


def _graph(options: Export, source: Path, folder: Path) -> Path:
    """Write the graph of the weights in `source` into `folder`, and say what it is."""
    import sys

    from telldraw.drawing import export
    from telldraw.weights import load

    loaded = load(source)
    path = export.write(loaded, folder, options.dtype)
    apart = export.differences(loaded, folder)
    print(
        f"telldraw: {path.name}: {path.stat().st_size / 1e6:.2f} MB, {options.dtype}, ONNX operators {export.OPSET}; "
        f"from torch, over {len(apart)} turns: at most {apart.max():.0f} of 255 levels, {apart.mean():.4f} in the mean",
        file=sys.stderr,
    )
    return path


def _described(folder: Path, name: str | None, dtype: str | None) -> dict[str, Any]:
    """The card of a folder, with what the graph is and, for a copy, its new name."""
    from telldraw.weights import read

    _, card = read(folder)
    return card | ({"name": name} if name else {}) | ({"onnx": {"dtype": dtype}} if dtype else {})


def _rename_card(path: Path, name: str) -> None:
    """Give the page for people the new name in its first line."""
    if path.is_file():
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        if first.startswith("# "):
            path.write_text(f"# {name}\n{rest}", encoding="utf-8")


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written: {error.strerror}; name another folder with --out") from None
