"""`telldraw train SYSTEM`: one loop for every system; the same command goes on where it stopped."""

import json
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from telldraw.errors import TelldrawError, TrainingError
from telldraw.systems import SYSTEMS
from telldraw.systems import load as load_system
from telldraw.training.schedule import Schedule

if TYPE_CHECKING:
    from torch import nn

    from telldraw.data.archive import Dataset
    from telldraw.training.log import Log
    from telldraw.training.loop import Trainer

SystemConfig = TypeVar("SystemConfig")
HELP = """usage: telldraw train SYSTEM --data PREPARED [--preset NAME] [OPTIONS]

Trains a system on a prepared data set. Kill it at any moment: the same command goes on from the last saved state, and
arrives at the same weights. `telldraw train SYSTEM --help` lists every option with its default and its meaning.

  telldraw train geneva --data codraw-64.telldraw --preset codraw-64 --out runs/codraw-64
  telldraw train geneva --data codraw-64.telldraw --preset codraw-64 --out runs/codraw-64 --schedule.max-minutes 9

systems and their presets:
"""


@dataclass(frozen=True)
class Options(Generic[SystemConfig]):
    """What a run is made of."""

    data: Path
    """A prepared data set (`telldraw prepare`)."""
    config: SystemConfig
    """Settings of the system; the preset's unless given."""
    preset: str
    """Where the settings start from."""
    out: Path | None = None
    """Folder of the run; `runs/SYSTEM-PRESET` unless given. If it holds a run, that run goes on."""
    batch_size: int = 16
    """Examples (dialogues) in a batch; GeNeVA's paper has 32."""
    seed: int = 0
    """Everything random follows from it."""
    device: str = "auto"
    """cpu, cuda, or auto: a GPU if there is one."""
    decay: float = 0.999
    """Of the moving average of the weights, per step."""
    weights_dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """How the weights that draw are written."""
    sheet_dialogues: int = 6
    """Validation dialogues on the sample sheet."""
    schedule: Schedule = field(default_factory=Schedule)
    """How long, and how often."""


def run(argv: list[str]) -> None:
    """Parse the flags and train."""
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:10} {', '.join(load_system(name).PRESETS)}" for name in SYSTEMS]
        print(HELP + "\n".join(lines))
        return
    name, *rest = argv
    if name.startswith("-"):
        raise TelldrawError(f"name the system first: telldraw train {next(iter(SYSTEMS))} {shlex.join(argv)}")
    module = load_system(name)
    options = _parse(name, module, rest)
    train(name, module, options, ["telldraw", "train", *argv])


def _parse(name: str, module: Any, argv: list[str]) -> Any:
    """Flags over the preset's settings; `--preset` is read first, because it decides the defaults."""
    import tyro

    preset = _preset(module, argv)
    default: Any = Options(data=tyro.MISSING, config=module.PRESETS[preset], preset=preset)
    about = f"Train {name}: {SYSTEMS[name].summary} ({SYSTEMS[name].paper})."
    return tyro.cli(
        Options[module.Config], args=argv, prog=f"telldraw train {name}", default=default, description=about
    )


def _preset(module: Any, argv: list[str]) -> str:
    names = list(module.PRESETS)
    for index, word in enumerate(argv):
        flag, _, value = word.partition("=")
        if flag == "--preset":
            value = value or (argv[index + 1] if index + 1 < len(argv) else "")
            if value not in names:
                raise TrainingError(f"no preset {value!r}; choose from {', '.join(names)}")
            return value
    return names[0]


def train(name: str, module: Any, options: Any, command: list[str]) -> None:
    """Train until the schedule ends, then leave weights that draw in the run's folder."""
    import torch

    from telldraw.data.archive import Dataset
    from telldraw.data.loader import Loader
    from telldraw.training.log import Log
    from telldraw.training.loop import Trainer

    dataset = Dataset.open(options.data)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch sees no GPU here; use --device cpu")
    run_folder = options.out or Path("runs") / f"{name}-{options.preset}"
    _claim(run_folder, name, options, dataset)
    torch.manual_seed(options.seed)
    system = module.build(options.config, dataset.facts)
    whole = not getattr(options.config, "iterative", True)
    loader = Loader(dataset, "train", options.batch_size, seed=options.seed, device=device, whole_dialogue=whole)
    trainer = Trainer(
        system, loader, run_folder, options.schedule, seed=options.seed, device=device, decay=options.decay
    )
    resumed = trainer.restore(lambda text: print(f"telldraw: {text}", file=sys.stderr))
    log = Log(run_folder, trainer.seen)
    count = sum(weight.numel() for weight in system.parameters())
    log.note(
        f"{name} {options.preset}: {count:,} weights on {device}, {len(dataset.splits['train']):,} dialogues, "
        f"run in {run_folder}" + (f", going on after {trainer.seen:,} examples" if resumed else "")
    )
    try:
        done = trainer.train(log, _sheets(dataset, trainer, log, name, options, command))
    except KeyboardInterrupt:
        trainer.save()
        log.note(f"stopped after {trainer.seen:,} examples; the same command goes on from there")
        raise
    finally:
        log.close()
    state = "all examples seen" if done else "time is up; the same command goes on"
    log.note(f"{state}: {trainer.seen:,} examples; weights in {run_folder / 'weights'}")
    print(run_folder)


def _sheets(dataset: "Dataset", trainer: "Trainer", log: "Log", name: str, options: Any, command: list[str]) -> Any:
    """What happens each time the averaged system is ready to draw: a sheet to look at, weights to draw with."""
    import numpy as np

    from telldraw import weights
    from telldraw.commands import sheets
    from telldraw.drawing.sheet import contact_sheet

    folder = trainer.run / "sheets"
    folder.mkdir(exist_ok=True)
    dialogues = sheets.chosen(dataset, "val" if dataset.splits.get("val") else "train", options.sheet_dialogues)

    def on_sheet(system: "nn.Module", seen: int) -> None:
        rows = sheets.strips(system, dataset, dialogues, device=trainer.device)  # type: ignore[arg-type]
        sheet = contact_sheet(rows)
        sheet.save(folder / f"{seen:010d}.png")
        log.picture("sheet", seen, np.asarray(sheet))
        facts = dataset.facts
        card = {
            "name": f"{name}-{options.preset}",
            "system": name,
            "preset": options.preset,
            "data": facts.name,
            "licence": facts.licence,
            "resolution": facts.resolution,
            "classes": list(facts.classes),
            "examples": seen,
            "command": shlex.join(command),
        }
        weights.save(
            trainer.run / "weights", system, facts.vocabulary, card, dtype=options.weights_dtype, text=_readme(card)
        )

    return on_sheet


def _readme(card: dict[str, Any]) -> str:
    return (
        f"# {card['name']}\n\n{SYSTEMS[card['system']].summary} ({SYSTEMS[card['system']].paper}).\n\n"
        f"- data: {card['data']}, {card['resolution']}x{card['resolution']}\n- licence of the data, and so of these weights: "
        f"{card['licence']}\n- examples seen: {card['examples']:,}\n- command: `{card['command']}`\n"
    )


def _claim(folder: Path, name: str, options: Any, dataset: "Dataset") -> None:
    """Make the run's folder, or check that the run in it is the one asked for."""
    asked = {
        "system": name,
        "preset": options.preset,
        "config": {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(options.config).items()},
        "data": dataset.facts.name,
        "dialogues": len(dataset.splits["train"]),
        "batch_size": options.batch_size,
        "seed": options.seed,
        "decay": options.decay,
    }
    path = folder / "run.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key in asked if found.get(key) != asked[key]]
        if "config" in differing:
            differing.remove("config")
            before = found.get("config", {})
            differing += [f"config.{key}" for key, value in asked["config"].items() if before.get(key) != value]
        if differing:
            raise TrainingError(
                f"{folder} holds a run with other settings ({', '.join(differing)}); "
                "give the same ones to go on with it, or another --out to start anew"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"--out {folder} cannot be written: {error.strerror}") from None


