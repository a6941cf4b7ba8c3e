"""`telldraw train SYSTEM`: one loop for every system; the same command goes on where it stopped."""

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import tyro

from telldraw.commands.run_folder import claim, written_down
from telldraw.errors import TelldrawError, TrainingError
from telldraw.systems import SYSTEMS, capabilities
from telldraw.systems import load as load_system
from telldraw.text import PADDING, UNKNOWN, Vocabulary
from telldraw.training.schedule import Schedule

if TYPE_CHECKING:
    from torch import nn

    from telldraw.data.archive import Dataset
    from telldraw.data.collection import Collection
    from telldraw.training.log import Log
    from telldraw.training.loop import Trainer

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
    text_encoder: str | None = None
    """For systems that draw from captions: the text encoder that reads them (a run, a folder or a name)."""
    perceptual: str | None = None
    """For systems that find pictures again: whose features compare them (a classifier or detector: a run, a folder or a
    name; vgg16:FILE; lpips:FOLDER)."""
    batch_size: int = 16
    """Examples (dialogues, or pictures) in a batch; GeNeVA's paper has 32."""
    batch_turns: int | None = None
    """Of dialogues: make batches of exactly so many turns instead; a GPU then plans its work only once."""
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
        lines = [f"  {name:12} {line}" for name in SYSTEMS for line in _presets(load_system(name))]
        print(HELP + "\n".join(lines))
        return
    name, *rest = argv
    if name.startswith("-"):
        raise TelldrawError(f"name the system first: telldraw train {next(iter(SYSTEMS))} {shlex.join(argv)}")
    module = load_system(name)
    options = _parse(name, module, rest)
    train(name, module, options, ["telldraw", "train", *argv])


def _presets(module: Any) -> list[str]:
    """The presets of a system, each with the time it takes where that is known."""
    recipes = getattr(module, "RECIPES", {})
    timed = [f"{name} ({recipes[name].takes})" for name in module.PRESETS if name in recipes and recipes[name].takes]
    rest = [name for name in module.PRESETS if name not in recipes or not recipes[name].takes]
    return timed + ([", ".join(rest)] if rest else [])


def _parse(name: str, module: Any, argv: list[str]) -> Any:
    """Flags over the preset's settings; `--preset` is read first, because it decides the defaults."""
    from telldraw.protocols import Recipe

    preset = _preset(module, argv)
    recipe = getattr(module, "RECIPES", {}).get(preset, Recipe())
    default: Any = Options(
        data=tyro.MISSING,
        config=module.PRESETS[preset],
        preset=preset,
        batch_size=recipe.batch_size,
        decay=recipe.decay,
        schedule=Schedule(examples=recipe.examples, sheet_every=recipe.sheet_every),
    )
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

    from telldraw.data.prepared import open_prepared
    from telldraw.weights import check_device

    dataset = open_prepared(options.data)
    _check_kind(name, options, dataset)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    check_device(device)
    run_folder = options.out or Path("runs") / f"{name}-{options.preset}"
    try:
        with claim(run_folder, name, options, dataset) as note:
            trainer = _trainer(module, options, dataset, run_folder, device)
            with written_down(run_folder, note, lambda: trainer.seen > 0):  # only now: what cannot be built is no run
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


def _check_kind(name: str, options: Any, dataset: "Dataset | Collection") -> None:
    """Raise TrainingError when the system is trained on another kind of data."""
    from telldraw.data.archive import Dataset

    dialogues = isinstance(dataset, Dataset)
    if dialogues != (SYSTEMS[name].batch == "Dialogues"):
        wanted, found = ("pictures", "dialogues") if dialogues else ("dialogues", "pictures")
        raise TrainingError(
            f"--data {options.data} holds {found}, and {name} is trained on {wanted}; telldraw data lists the data sets"
        )
    if options.batch_turns is not None and not dialogues:
        raise TrainingError(f"--batch-turns {options.batch_turns}: pictures have no turns; give --batch-size")


def _trainer(module: Any, options: Any, dataset: "Dataset | Collection", run_folder: Path, device: str) -> "Trainer":
    import torch

    from telldraw.commands.feeding import facts_for, hand_in_perceptual, loader_for, reader_for
    from telldraw.commands.starting import begin_with
    from telldraw.training.loop import Trainer

    batch = SYSTEMS[module.__name__.rpartition(".")[2].replace("_", "-")].batch
    reader = reader_for(options, batch, device)
    facts = facts_for(dataset, batch, reader)
    torch.manual_seed(options.seed)
    system = module.build(options.config, facts)
    if reader is not None:
        system.reader = reader
    hand_in_perceptual(system, options, device)
    if options.start_from is not None:
        begin_with(system, options.start_from)
    loader = loader_for(options, dataset, batch, device, reader)
    # with shapes that stay, the best plan for each convolution is worth a search
    torch.backends.cudnn.benchmark = options.batch_turns is not None
    return Trainer(system, loader, run_folder, options.schedule, seed=options.seed, device=device, decay=options.decay)


def _go(trainer: "Trainer", name: str, options: Any, command: list[str], dataset: "Dataset | Collection") -> None:
    """Train from the newest state on, and say what happens."""
    from telldraw.training.log import Log

    run_folder = trainer.run
    resumed = trainer.restore(lambda text: print(f"telldraw: {text}", file=sys.stderr))
    log = Log(run_folder, trainer.seen)
    count = sum(weight.numel() for weight in trainer.system.parameters())
    kind = "dialogues" if SYSTEMS[name].batch == "Dialogues" else "pictures"
    log.note(
        f"{name} {options.preset}: {count:,} weights on {trainer.device}, {len(dataset.splits['train']):,} {kind}, "
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
        self,
        dataset: "Dataset | Collection",
        trainer: "Trainer",
        log: "Log",
        name: str,
        options: Any,
        command: list[str],
    ) -> None:
        from telldraw.batches import PictureFacts
        from telldraw.commands import sheets

        self.dataset, self.trainer, self.log, self.options = dataset, trainer, log, options
        self.folder = trainer.run / "sheets"
        self.folder.mkdir(exist_ok=True)
        self.chosen = sheets.chosen_of(dataset, options.sheet_dialogues)
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
            **({"channels": facts.channels, "many": facts.many} if isinstance(facts, PictureFacts) else {}),
            **({} if getattr(trainer.system, "reader", None) is None else {"text_encoder": trainer.system.reader.name}),
            **({"features": dataset.manifest.get("features")} if SYSTEMS[name].batch == "Tags" else {}),
            "command": shlex.join(command),
        }

    def weights(self, system: "nn.Module", seen: int) -> None:
        """Write the weights folder of the run."""
        from telldraw import weights

        card = {**self.card, "examples": seen}
        reads = hasattr(self.options.config, "vocabulary_size")
        known = getattr(self.dataset, "vocabulary", None) or Vocabulary((PADDING, UNKNOWN))
        words, dtype = known if reads else None, self.options.weights_dtype
        reader = getattr(system, "reader", None)
        network = getattr(self.dataset, "network", None) if SYSTEMS[card["system"]].batch == "Tags" else None
        network = network if reader is None else reader.folder
        folder, text = self.trainer.run / "weights", _readme(card)
        weights.save(folder, system, words, card, dtype=dtype, text=text, network=network)

    def sheet(self, system: "nn.Module", seen: int) -> None:
        """Show what the system does with the same validation data, in each way that suits what it can do."""
        import numpy as np

        from telldraw.commands import sheets

        can, device = capabilities(self.card["system"], system), self.trainer.device
        for number, sheet in enumerate(sheets.draw(system, can, self.dataset, self.chosen, device=device)):
            ending = f"-{number + 1}" if number else ""
            sheet.save(self.folder / f"{seen:010d}{ending}.png")
            self.log.picture(f"sheet{ending}", seen, np.asarray(sheet))
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
