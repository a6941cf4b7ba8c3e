"""Weights that draw, as a folder others can load: config.json, model.safetensors, vocabulary.json and a card to read.

Beside or instead of model.safetensors there may be model.onnx and start.npz (`drawing/export.py`), which need no torch.
What looks at pictures through another network has that one's weights in the folder `network`.
A system that reads no words has no vocabulary.json.

Only `save`, `load` and `load_run` import torch. Loading never runs code from the folder.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telldraw.errors import DataError, TelldrawError, WeightsError
from telldraw.text import PADDING, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from torch import nn

SHIPPED = Path(__file__).parent / "shipped"
CHECKOUT = Path(__file__).parents[2]
"""The root of the repository, where telldraw runs from one; weights with a licence of their own lie there."""
DEFAULT = "geneva-iclevr-64"
FORMAT = 1
SHARD = 40_000_000
"""Largest safetensors file, in bytes; what is larger is split over model-00.safetensors, model-01.safetensors, ..."""

ONNX, START = "model.onnx", "start.npz"
"""A turn as an ONNX graph, and the state before the first turn."""
NETWORK = "network"
"""Folder of the weights of the network whose features these weights read, where they read features."""


@dataclass(frozen=True)
class Loaded:
    """A system ready to draw."""

    name: str
    system: "nn.Module"
    vocabulary: Vocabulary
    card: dict[str, Any]  # config.json: system, config, data, licence, classes, examples, figures, ...
    folder: Path | None = None  # where they lie; None for what was read from elsewhere


def places() -> list[Path]:
    """Where named weights may lie: `weights` in the current folder, in a checkout of telldraw, what comes with it."""
    beside = [CHECKOUT / "weights"] if (CHECKOUT / "pyproject.toml").is_file() else []
    return [Path("weights"), *beside, SHIPPED]


def at_hand() -> dict[str, Path]:
    """All weights that have a name here: name -> folder. Of two with one name the first place's counts."""
    found: dict[str, Path] = {}
    for place in places():
        for path in sorted(place.glob("*/config.json")):
            found.setdefault(path.parent.name, path.parent)
    return dict(sorted(found.items()))


def find(name_or_path: str) -> Path:
    """The folder of named weights (`places`), of a weights folder, or of a training run (its `weights` inside).

    A name's first words are enough where no other name begins with them: gan-cls for gan-cls-birds-64.
    """
    given = Path(name_or_path)
    for folder in (given, given / "weights", *(place / name_or_path for place in places())):
        if (folder / "config.json").is_file():
            return folder
    known = at_hand()
    meant = [name for name in known if name.startswith(f"{name_or_path}-")]
    if len(meant) == 1 and not given.exists():
        return known[meant[0]]
    names = ", ".join(known) or "none"
    if (given / "run.json").is_file():
        raise WeightsError(
            f"the run {name_or_path} has no weights yet; its `telldraw train` command goes on and writes them"
        )
    if given.is_dir():
        raise WeightsError(
            f"{name_or_path} holds no weights (no config.json); give a weights folder, or one of: {names}"
        )
    if meant and not given.exists():
        raise WeightsError(f"{name_or_path!r} could be any of {', '.join(meant)}; write one of them whole")
    raise WeightsError(f"no weights named {name_or_path!r}, and no such folder; at hand: {names}")


def card(folder: Path) -> dict[str, Any]:
    """What config.json says of the weights beside it. Raises WeightsError when it is missing, damaged or too new."""
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None
    missing = {"format", "system", "config"} - set(found) if isinstance(found, dict) else {"everything"}
    if missing:
        raise WeightsError(f"{path} is not a telldraw card: it lacks {', '.join(sorted(missing))}")
    if found["format"] != FORMAT:
        raise WeightsError(f"{path} has format {found['format']}, this telldraw reads format {FORMAT}; update telldraw")
    if not isinstance(found["config"], dict):
        raise WeightsError(f"{path} is not a telldraw card: its config is no table of settings")
    return found


def note(folder: Path, figures: dict[str, Any], *, under: str = "figures") -> None:
    """Write what was measured into the card of the weights in `folder`, whole or not at all."""
    known = card(folder)
    part = folder / "config.json.part"
    try:
        text = json.dumps({**known, under: figures}, indent=1, ensure_ascii=False) + "\n"
        part.write_text(text, encoding="utf-8")
        os.replace(part, folder / "config.json")
    except OSError as error:
        raise WeightsError(f"{folder / 'config.json'} cannot be written: {error.strerror}") from None


def check_device(device: str) -> None:
    """Raise TelldrawError when there is no such device here."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise TelldrawError(f"--device {device}: there is no such device here; cpu always works") from None


def load(folder: Path, device: str = "cpu") -> Loaded:
    """Build the system that the card describes and fill it, in float32 and evaluation mode. Raises TelldrawError."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_device(device)
    about = card(folder)
    vocabulary = _vocabulary(folder, about)
    system = _build(folder, about)
    for name in system.training_only:
        delattr(system, name)
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        hint = "; model.onnx is there: draw with --engine onnx" if (folder / ONNX).is_file() else ""
        raise WeightsError(f"{folder} has no model.safetensors{hint}")
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        try:
            tensors |= load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is damaged: {error}") from None
    try:
        system.load_state_dict({name: _widened(tensor) for name, tensor in tensors.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()[:200]
        raise WeightsError(f"{folder}: the weights do not fit their card: {reason}") from None
    system.to(device, memory_format=torch.channels_last).eval()
    return Loaded(about.get("name", folder.name), system, vocabulary, about, folder)


def read(folder: Path) -> tuple[Vocabulary, dict[str, Any]]:
    """The words and the card of a weights folder; loads no torch."""
    about = card(folder)
    return _vocabulary(folder, about), about


def _vocabulary(folder: Path, card: dict[str, Any]) -> Vocabulary:
    if "vocabulary_size" not in card["config"]:
        return Vocabulary((PADDING, UNKNOWN))  # a system that reads no words
    try:
        vocabulary = Vocabulary.load(folder / "vocabulary.json")
    except DataError as error:
        raise WeightsError(str(error)) from None
    size = card["config"].get("vocabulary_size", len(vocabulary))
    if size != len(vocabulary):
        raise WeightsError(f"{folder / 'vocabulary.json'} has {len(vocabulary):,} words, its config.json says {size}")
    return vocabulary


def _widened(tensor: Any) -> Any:
    return tensor.float() if tensor.is_floating_point() else tensor


def _build(folder: Path, card: dict[str, Any]) -> Any:
    from telldraw.systems import load as load_system

    try:
        module = load_system(card["system"])
    except TelldrawError as error:
        raise WeightsError(f"{folder / 'config.json'}: {error}") from None
    known = {field.name for field in fields(module.Config)}
    unknown = set(card["config"]) - known
    if unknown:
        raise WeightsError(f"{folder / 'config.json'}: {card['system']} has no setting {', '.join(sorted(unknown))}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in card["config"].items()}
    try:
        return module.System(module.Config(**values))
    except (TypeError, ValueError, RuntimeError, TelldrawError) as error:
        raise WeightsError(f"{folder / 'config.json'}: a setting of {card['system']} is wrong: {error}") from None


def save(
    folder: Path,
    system: "nn.Module",
    vocabulary: Vocabulary | None,
    card: dict[str, Any],
    *,
    dtype: str = "float32",
    text: str = "",
    network: Path | None = None,
) -> None:
    """Write what draws (not the parts named in `training_only`), whole or not at all.

    `card` needs `system` and `name`; `config` and `format` are added. `dtype`: float32, bfloat16 or float16.
    `text` becomes the README.md; `vocabulary` is None for a system that reads no words; `network` is a weights folder
    to be copied into this one.
    Raises WeightsError, leaving what is there, when a weight is too large for `dtype`.
    """
    import torch
    from safetensors.torch import save_file

    skipped: tuple[str, ...] = system.training_only  # type: ignore[assignment]
    kind = getattr(torch, dtype)
    tensors = {
        name: (tensor.to(kind) if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in system.state_dict().items()
        if name.partition(".")[0] not in skipped
    }
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(
                f"{folder}: {name} has a number that {dtype} cannot hold; write them as float32 or bfloat16"
            )
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shards = list(_shards(tensors))
    for index, shard in enumerate(shards):
        file = part / ("model.safetensors" if len(shards) == 1 else f"model-{index:02d}.safetensors")
        file.touch()  # with the rights that new files get here; safetensors would keep others from reading it
        rights = file.stat().st_mode
        save_file(shard, file)
        file.chmod(rights)
    if vocabulary is not None:
        vocabulary.save(part / "vocabulary.json")
    if network is not None:
        shutil.copytree(network, part / NETWORK)
    card = {"format": FORMAT, **card, "config": asdict(system.config), "dtype": dtype}  # type: ignore[call-overload]
    (part / "config.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (part / "README.md").write_text(text or f"# {card.get('name', folder.name)}\n", encoding="utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def _shards(tensors: dict[str, Any]) -> Iterable[dict[str, Any]]:
    shard: dict[str, Any] = {}
    size = 0
    for name, tensor in tensors.items():
        weight = tensor.numel() * tensor.element_size()
        if shard and size + weight > SHARD:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += weight
    yield shard
