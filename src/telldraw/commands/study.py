"""`telldraw study`: asks people which method's pictures they prefer, on a page of one file, and sums their answers up.

The page is made by `study_page`, the figures by `metrics.preferences`; here are flags and files.
"""

import csv
import io
import json as json_format
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from telldraw.commands import study_page
from telldraw.commands.progress import say
from telldraw.commands.study_plot import draw, of_whom
from telldraw.commands.table import table
from telldraw.errors import DataError, TelldrawError
from telldraw.metrics.preferences import Answer, Outcome, outcome, percent

HELP = """usage: telldraw study make METHOD=FOLDER METHOD=FOLDER ... --captions FILE --out FOLDER
       telldraw study sum FILE.csv ...

Asks people which of several methods' pictures they prefer.

  telldraw study make ours=drawn/ours theirs=drawn/theirs --captions captions.tsv --out study
  telldraw study sum answers/*.csv --plot study/shares.png

`make` writes one page, study/study.html, to be sent to raters: it needs no server, and sends nothing anywhere; each
rater downloads the answers as a .csv file and sends it back. `sum` gives the share of each method and question with its
95 % interval.
"""
COLUMNS = ("study", "rater", "picture", "question", "chosen", "shown", "place", "seconds", "when")
"""Of a file of answers."""
_PLOTS = (".png", ".svg", ".pdf")
_LIMIT = 10_000_000  # bytes of a file of answers that is read


@dataclass(frozen=True)
class Make:
    """Write a page that shows people the pictures of several methods side by side, in random order."""

    methods: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="METHOD=FOLDER")]
    """Two to nine names, each with a folder of pictures; those of one text have the same file name."""
    captions: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The texts: lines of a file name, a tab and the text, or a .json file of {"file name": "text"}; the ending of
    the file name may be left out."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("study")
    """Folder for study.html."""
    count: int | None = None
    """Only so many texts, chosen by --seed."""
    seed: int = 0
    """Of the choice of texts, and, with the rater's name, of the order in which texts and methods are shown."""
    title: str = "Which picture?"
    """Heading of the page."""


@dataclass(frozen=True)
class Sum:
    """Sum up the answers of several raters."""

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE.csv")]
    """What raters downloaded."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the shares into this picture: .png, .svg or .pdf."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print JSON instead of tables."""


def run(argv: list[str]) -> None:
    """Make a study, or sum one up."""
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP)
        return
    name, *rest = argv
    if name == "make":
        make(tyro.cli(Make, args=rest, prog="telldraw study make"))
    elif name == "sum":
        sum_up(tyro.cli(Sum, args=rest, prog="telldraw study sum"))
    else:
        raise TelldrawError(f"telldraw study {name[:40]!r}: choose from make, sum")


# --- making -------------------------------------------------------------------------------------------------------


def make(options: Make) -> None:
    """Write the page. Raises TelldrawError naming the flag, folder or file that is wrong."""
    for flag, value, least in (("--count", options.count, 1), ("--seed", options.seed, 0)):
        if value is not None and value < least:
            raise TelldrawError(f"{flag} {value}: at least {least} is needed")
    folders = study_page.folders(options.methods)
    texts = study_page.captions(options.captions)
    page, notes = study_page.page(folders, texts, count=options.count, seed=options.seed, title=options.title)
    for note in notes:
        say(note)
    file = options.out / "study.html"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise TelldrawError(f"--out {options.out} cannot be written: {error.strerror}") from None
    print(file)


# --- summing up ---------------------------------------------------------------------------------------------------


def sum_up(options: Sum) -> None:
    """Print shares and write the plot. Raises TelldrawError naming the file and line that is wrong."""
    if not options.files:
        raise TelldrawError("name the files of answers: telldraw study sum FILE.csv ...")
    if options.plot is not None:
        from telldraw.drawing.files import check_file

        check_file(options.plot, _PLOTS, "--plot")
    answers, methods, study = read(options.files)
    questions = list(dict.fromkeys(each.question for each in answers))
    found = [outcome(name, [each for each in answers if each.question == name], methods) for name in questions]
    if options.json:
        print(json_format.dumps(_report(found, study), indent=1, ensure_ascii=False))
    else:
        _show(found, study)
    if len(set(Counter(each.rater for each in answers).values())) > 1:
        say(f"some raters answered more than others: {_by_rater(answers)}; those with more answers count for more")
    if options.plot is not None:
        draw(found, options.plot)


def _by_rater(answers: list[Answer]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(each.rater for each in answers).items())


def read(files: tuple[Path, ...]) -> tuple[list[Answer], list[str], str]:
    """All answers, the methods by name, and the study's number. Raises DataError naming the file and line."""
    answers: list[Answer] = []
    methods: set[str] = set()
    seen: dict[tuple[str, str, str], Path] = {}
    studies: dict[str, Path] = {}
    for file in files:
        for line, row in _rows(file):
            shown, where = row["shown"].split("|"), f"{file}, line {line}"
            if row["chosen"] not in shown or len(shown) < 2 or len(set(shown)) != len(shown):
                raise DataError(f"{where}: {row['chosen']!r} is not one of the methods shown, {row['shown']!r}")
            if methods and set(shown) != methods:
                raise DataError(f"{where}: other methods were shown than before ({', '.join(sorted(methods))})")
            answer = Answer(row["rater"], row["picture"], row["question"], row["chosen"])
            if answer[:3] in seen:
                raise DataError(
                    f"{where}: {answer.rater!r} answered this before, in {seen[answer[:3]]}; name each rater's last "
                    "file alone, and give two people two names"
                )
            seen[answer[:3]] = file
            studies.setdefault(row["study"], file)
            methods |= set(shown)
            answers.append(answer)
    if len(studies) > 1:
        one, other, *_ = studies.values()
        raise DataError(f"{one} and {other} are answers to different studies; sum up each by itself")
    if not answers:
        raise DataError(f"{files[0]} holds no answers; download them from the page again")
    return answers, sorted(methods), next(iter(studies))


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines of a file, numbered, by column."""
    try:
        if file.stat().st_size > _LIMIT:
            raise DataError(f"{file} is too large for answers; name the .csv files that raters downloaded")
        text = file.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(f"{file} does not begin with the columns {','.join(COLUMNS)}: it is no file of answers")
        rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is damaged ({error}); download the answers again") from None
    for line, row in rows:
        if None in row or None in row.values() or not all(row[name] for name in COLUMNS[:6]):
            raise DataError(f"{file}, line {line}: {len(COLUMNS)} columns were expected; download the answers again")
    return rows


def _report(found: list[Outcome], study: str) -> dict[str, Any]:
    return {
        "study": study,
        "questions": [{**each._asdict(), "methods": [method._asdict() for method in each.methods]} for each in found],
    }


def _show(found: list[Outcome], study: str) -> None:
    print(f"study {study}")
    for each in found:
        print(f"\n{study_page.QUESTIONS.get(each.question, each.question)}")
        print(f"{of_whom(each)}; by chance {100 / len(each.methods):.1f} % each")
        shares = percent([method.share for method in each.methods])
        rows = [
            (
                method.method,
                f"{share:.1f} %",
                f"{100 * method.low:.1f} to {100 * method.high:.1f}",
                f"{method.chosen:,}",
            )
            for method, share in sorted(zip(each.methods, shares, strict=True), key=lambda pair: -pair[0].share)
        ]
        print(table(("method", "chosen", "95 %", "answers"), rows))
        if each.agreement is not None:
            print(f"two raters of one text agree in {100 * each.agreement:.0f} % of pairs, by chance in ", end="")
            print(f"{100 * each.agreement_by_chance:.0f} %")
