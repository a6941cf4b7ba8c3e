"""`telldraw train SYSTEM`: one loop for every system; the same command goes on where it stopped."""

import json
import os
import shlex
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import tyro

from telldraw.errors import TelldrawError, TrainingError
from telldraw.systems import SYSTEMS
from telldraw.systems import load as load_system
from telldraw.training.schedule import Schedule

try:
    import fcntl
except ImportError:  # Windows: two processes in one run are not noticed there
    fcntl = None

if TYPE_CHECKING:
    from torch import nn

    from telldraw.data.archive import Dataset
    from telldraw.training.log import Log
    from telldraw.training.loop import Trainer

_LOCK = "lock"  # in the run's folder; held while a process trains there
SystemConfig = TypeVar("SystemConfig")
HELP = """usage: telldraw train SYSTEM --data PREPARED [--preset NAME] [OPTIONS]

Trains a system on a prepared data set. Kill it at any moment: the same command goes on from the last saved state, and
arrives at the same weights. `telldraw train SYSTEM --help` lists every option with its default and its meaning.

  telldraw train geneva --data codraw-64.telldraw --preset codraw-64 --out runs/codraw-64
  telldraw train geneva --data codraw-64.telldraw --preset codraw-64 --out runs/codraw-64 --max-minutes 9
  telldraw train detector --data codraw-64.telldraw --preset codraw-small --batch-turns 32 --decay 0.998

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
    start_from: str | None = None
    """Weights of the same system and sizes to begin with (a run, a folder or a name), instead of random ones."""
    batch_size: int = 16
    """Examples (dialogues) in a batch; GeNeVA's paper has 32."""
    batch_turns: int | None = None
    """Make batches of exactly so many turns instead, of whole dialogues: a GPU then plans its work only once."""
    seed: int = 0
    """Everything random follows from it."""
    device: str = "auto"
    """cpu, cuda, or auto: a GPU if there is one."""
    decay: float = 0.999
    """Of the moving average of the weights, per step."""
    weights_dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """How the weights that draw are written."""
    sheet_dialogues: int = 6
    """Validation dialogues on the sample sheet (of a drawer every turn, of a detector the last)."""
    schedule: Annotated[Schedule, tyro.conf.arg(name="")] = field(default_factory=Schedule)
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
    preset = _preset(module, argv)
    default: Any = Options(data=tyro.MISSING, config=module.PRESETS[preset], preset=preset)
    about = f"Train {name}: {SYSTEMS[name].summary} ({SYSTEMS[name].paper}). Presets: {', '.join(module.PRESETS)}."
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
    _check(options)
    import torch

    from telldraw.data.archive import Dataset

    dataset = Dataset.open(options.data)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise TrainingError(f"--device {device}: there is no such device here; cpu always works") from None
    run_folder = options.out or Path("runs") / f"{name}-{options.preset}"
    try:
        with _claim(run_folder, name, options, dataset) as note:
            trainer = _trainer(module, options, dataset, run_folder, device)
            _write_down(run_folder, note)  # only now: what cannot be built is no run
            _go(trainer, name, options, command, dataset)
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"the memory of {device} is too small for this; start anew with another --out and less than --batch-size "
            f"{options.batch_size}, or try --bf16"
        ) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TrainingError(f"--out {run_folder} cannot be written: {error}") from None


def _check(options: Any) -> None:
    """Raise TrainingError for a number that nothing can be done with, before anything is loaded."""
    schedule = options.schedule
    for flag, value, least in (
        ("--batch-size", options.batch_size, 2),  # batch norm has nothing to compare one picture with
        ("--batch-turns", 2 if options.batch_turns is None else options.batch_turns, 2),
        ("--seed", options.seed, 0),
        ("--sheet-dialogues", options.sheet_dialogues, 1),
        ("--examples", schedule.examples, 1),
        ("--sheet-every", schedule.sheet_every, 1),
        ("--measure-batches", schedule.measure_batches, 1),
    ):
        if value < least:
            raise TrainingError(f"{flag} {value}: at least {least} is needed")
    if not 0 <= options.decay < 1:
        raise TrainingError(f"--decay {options.decay}: from 0 to less than 1 is needed")


def _trainer(module: Any, options: Any, dataset: "Dataset", run_folder: Path, device: str) -> "Trainer":
    import torch

    from telldraw.data.loader import Loader
    from telldraw.training.loop import Trainer

    torch.manual_seed(options.seed)
    system = module.build(options.config, dataset.facts)
    if options.start_from is not None:
        _begin_with(system, options.start_from)
    whole = not getattr(options.config, "iterative", True)
    loader = Loader(
        dataset,
        "train",
        options.batch_size,
        seed=options.seed,
        device=device,
        whole_dialogue=whole,
        turns=options.batch_turns,
    )
    # with shapes that stay, the best plan for each convolution is worth a search
    torch.backends.cudnn.benchmark = options.batch_turns is not None
    return Trainer(system, loader, run_folder, options.schedule, seed=options.seed, device=device, decay=options.decay)


def _begin_with(system: "nn.Module", given: str) -> None:
    """Fill a new system with what is in a weights folder; parts that only training needs stay random."""
    from telldraw import weights

    loaded = weights.load(weights.find(given)).system
    try:
        missing, unknown = system.load_state_dict(loaded.state_dict(), strict=False)
    except RuntimeError as error:
        raise TrainingError(f"--start-from {given} does not fit: {str(error).splitlines()[-1].strip()[:200]}") from None
    parts = tuple(f"{name}." for name in loaded.training_only)  # type: ignore[union-attr]
    if unknown or any(not name.startswith(parts) for name in missing):
        raise TrainingError(f"--start-from {given} holds weights of another system than the one to be trained")


def _go(trainer: "Trainer", name: str, options: Any, command: list[str], dataset: "Dataset") -> None:
    """Train from the newest state on, and say what happens."""
    from telldraw.training.log import Log

    run_folder = trainer.run
    resumed = trainer.restore(lambda text: print(f"telldraw: {text}", file=sys.stderr))
    log = Log(run_folder, trainer.seen)
    count = sum(weight.numel() for weight in trainer.system.parameters())
    log.note(
        f"{name} {options.preset}: {count:,} weights on {trainer.device}, {len(dataset.splits['train']):,} dialogues, "
        f"run in {run_folder}" + (f", going on after {trainer.seen:,} examples" if resumed else "")
    )
    try:
        with _stopping(trainer, log.note) as received:
            done = trainer.train(log, _Outputs(dataset, trainer, log, name, options, command))
    finally:
        log.close()
    if received:
        log.note(f"stopped after {trainer.seen:,} examples; the same command goes on from there")
        raise KeyboardInterrupt if received[0] == signal.SIGINT else SystemExit(128 + received[0])
    state = "all examples seen" if done else "time is up; the same command goes on"
    log.note(f"{state}: {trainer.seen:,} examples; weights in {run_folder / 'weights'}")
    print(run_folder)


class _Outputs:
    """What a run leaves beside its state: weights to draw with, sheets to look at."""

    def __init__(
        self, dataset: "Dataset", trainer: "Trainer", log: "Log", name: str, options: Any, command: list[str]
    ) -> None:
        from telldraw.commands import sheets

        self.dataset, self.trainer, self.log, self.options = dataset, trainer, log, options
        self.folder = trainer.run / "sheets"
        self.folder.mkdir(exist_ok=True)
        split = "val" if dataset.splits.get("val") else "train"
        self.dialogues = sheets.chosen(dataset, split, options.sheet_dialogues)
        facts = dataset.facts
        self.card = {
            "name": f"{name}-{options.preset}",
            "system": name,
            "preset": options.preset,
            "data": facts.name,
            "licence": facts.licence,
            "resolution": facts.resolution,
            "aspect": facts.aspect,
            "classes": list(facts.classes),
            "command": shlex.join(command),
        }

    def weights(self, system: "nn.Module", seen: int) -> None:
        """Write the weights folder of the run."""
        from telldraw import weights

        card = {**self.card, "examples": seen}
        reads = hasattr(self.options.config, "vocabulary_size")
        words, dtype = self.dataset.vocabulary if reads else None, self.options.weights_dtype
        weights.save(self.trainer.run / "weights", system, words, card, dtype=dtype, text=_readme(card))

    def sheet(self, system: "nn.Module", seen: int) -> None:
        """Show what the system does with the same validation dialogues, in the way that suits what it can do."""
        import numpy as np

        from telldraw.commands import sheets
        from telldraw.drawing.sheet import contact_sheet

        show = sheets.of(SYSTEMS[self.card["system"]].capabilities)
        sheet = contact_sheet(show(system, self.dataset, self.dialogues, device=self.trainer.device))
        sheet.save(self.folder / f"{seen:010d}.png")
        self.log.picture("sheet", seen, np.asarray(sheet))
        for figure in sheets.figures(system, self.dataset, device=self.trainer.device):
            self.log.note(f"{seen:,} examples: {figure}")


def _readme(card: dict[str, Any]) -> str:
    return (
        f"# {card['name']}\n\n{SYSTEMS[card['system']].summary} ({SYSTEMS[card['system']].paper}).\n\n"
        f"- data: {card['data']}, {card['resolution']}x{card['resolution']}\n"
        f"- licence of the data, and so of these weights: {card['licence']}\n"
        f"- examples seen: {card['examples']:,}\n- command: `{card['command']}`\n"
    )


@contextmanager
def _stopping(trainer: "Trainer", say: Callable[[str], None]) -> Iterator[list[int]]:
    """Ctrl-C or SIGTERM ends the training after the present step, so that what is saved is exact; a second one at once.

    Gives the list of signals received.
    """
    received: list[int] = []

    def stop(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        trainer.stopping = True
        with suppress(RuntimeError):  # it may have come in the middle of another line
            say("stopping after this step; once more to stop at once, with what was saved before")

    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread can be told
        return
    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _claim(folder: Path, name: str, options: Any, dataset: "Dataset") -> Iterator[dict[str, Any]]:
    """Make the run's folder, or check that the run in it is the one asked for; and keep other processes out of it.

    Gives what the run is made of.
    """
    from telldraw.training.checkpoint import states

    known = (folder / "run.json").exists() or states(folder)
    if not known and folder.is_dir() and {path.name for path in folder.iterdir()} - {_LOCK, "run.json.part"}:
        raise TrainingError(f"--out {folder} holds other files and no run; name a folder that is new or empty")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("wb")
    except OSError as error:
        raise TrainingError(f"--out {folder} cannot be written: {error.strerror}") from None
    with lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"another process is training in {folder}; wait for it, or name another --out"
                ) from None
            except OSError:  # a file system without locks
                pass
        yield _compared(folder, name, options, dataset)


def _compared(folder: Path, name: str, options: Any, dataset: "Dataset") -> dict[str, Any]:
    """What the run asked for is made of; TrainingError names what differs from what is written in its folder."""
    words = "\n".join(dataset.facts.vocabulary.words).encode()
    asked: dict[str, Any] = {
        "system": name,
        "preset": options.preset,
        "start_from": options.start_from,
        "config": {key: _plain(value) for key, value in asdict(options.config).items()},
        "data": dataset.facts.name,
        "dialogues": len(dataset.splits["train"]),
        "vocabulary": zlib.crc32(words),
        "pictures": dataset.manifest["files"]["images.npy"]["crc32"],
        "batch_size": options.batch_size,
        "batch_turns": options.batch_turns,
        "seed": options.seed,
        "decay": options.decay,
    }
    path = folder / "run.json"
    if path.exists():
        try:
            written = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise TrainingError(
                f"{path} is damaged ({error}); remove it to go on with the settings given now"
            ) from None
        # what the version that began the run did not write down had its default then
        found: dict[str, Any] = {each.name: each.default for each in fields(options)} | written
        before = {each.name: _plain(each.default) for each in fields(options.config)} | dict(written.get("config", {}))
        differing = [key for key in asked if key != "config" and found.get(key, asked[key]) != asked[key]]
        differing += [f"config.{key}" for key, value in asked["config"].items() if before[key] != value]
        if differing:
            raise TrainingError(
                f"{folder} holds a run with other settings ({', '.join(differing)}); "
                "give the same ones to go on with it, or another --out to start anew"
            )
    return asked


def _write_down(folder: Path, note: dict[str, Any]) -> None:
    if not (folder / "run.json").exists():
        part = folder / "run.json.part"
        part.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        os.replace(part, folder / "run.json")


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value
