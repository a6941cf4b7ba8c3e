"""The README's commands are commands: every `telldraw ...` line names a command there is, with flags it has."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from telldraw import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")


def lines() -> Iterator[tuple[str, list[str]]]:
    """Each shell line that calls telldraw, as (page, words); continued lines are one."""
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words and words[0] == "telldraw":
                    yield page.name, words[1:]


@cache
def help_text(*words: str) -> str:
    """What `telldraw ... --help` prints."""
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("COLUMNS", "200")
        assert cli.main([*words, "--help"]) == 0
    return printed.getvalue()


def test_the_readme_has_the_main_job_in_order() -> None:
    commands = [words[0] for page, words in lines() if page == "README.md"]
    order = iter(commands)
    assert all(command in order for command in ("prepare", "train", "draw", "evaluate")), commands


@pytest.mark.parametrize(
    ("page", "words"), list(lines()), ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_line_names_a_command_and_flags_that_there_are(page: str, words: list[str]) -> None:
    command, rest = words[0], words[1:]
    assert re.search(rf"\b{re.escape(command)}\b", help_text()), f"{page}: telldraw --help does not list {command}"
    known = help_text(command)
    if rest and command in ("prepare", "train") and not rest[0].startswith("-"):
        known += help_text(command, rest[0])
    for word in rest:
        if word.startswith("--"):
            flag = word.split("=")[0]
            assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", known), f"{page}: {command} has no {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text()))
    assert {"demo", "test"} <= named <= targets
