"""The page in a real browser: from typing to undo to branch to candidates to export, and no request leaves."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

from PIL import Image  # noqa: E402

from studio_like import SCENE  # noqa: E402
from telldraw.drawing.files import read_record  # noqa: E402
from telldraw.studio.app import PAGE  # noqa: E402
from telldraw.studio.tables import sqlite_url  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here: apt-get install chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERVER = Path(__file__).with_name("studio_like.py")
expect = playwright.expect
expect.set_options(timeout=20_000)  # a busy machine is no fault of the page


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with the toy drawer, in a process of its own."""
    url = sqlite_url(tmp_path_factory.mktemp("drawings") / "drawings.sqlite")
    with subprocess.Popen([sys.executable, str(SERVER), url], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        assert server.wait(30) == 0  # also with streams open: it stops gracefully


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    with playwright.sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=BROWSER, args=QUIET)
        yield started
        started.close()


class Visit:
    """One person's browser on the page; whatever it asks for and complains of is kept."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        """Open the page and wait until one can type."""
        self.context = browser.new_context(**{"viewport": {"width": 1360, "height": 850}, **options})
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.goto(address)
        expect(self.field).to_be_enabled()

    @property
    def field(self) -> Any:
        """Where one tells."""
        return self.page.locator("#instruction")

    @property
    def thumbs(self) -> Any:
        """The tree of turns."""
        return self.page.locator(".thumb")

    def tell(self, instruction: str, keys: str = "Enter") -> None:
        """Type and send."""
        self.field.fill(instruction)
        self.field.press(keys)

    def shows(self, *told: str) -> None:
        """The conversation is exactly this, and the picture is that of the last turn."""
        expect(self.page.locator(".says .said .words")).to_have_text(list(told))
        expect(self.page.locator(".pending")).to_have_count(0)
        alt = f"Picture after turn {len(told)}: {'; '.join(told)}" if told else "Blank canvas"
        expect(self.page.locator(".canvas img")).to_have_attribute("alt", alt)

    def close(self) -> None:
        """Leave; nothing went wrong, and nothing was asked of another machine."""
        self.context.close()
        assert self.complaints == []
        assert {urlsplit(url).hostname for url in self.requests if not url.startswith(("blob:", "data:"))} == {
            "localhost"
        }


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    """One visit."""
    visitor = Visit(browser, address)
    yield visitor
    visitor.close()


def test_from_typing_to_undo_to_branch_to_candidates_to_export(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    visit.shows()
    visit.tell("a tree on the left")
    visit.shows("a tree on the left")
    first = page.locator(".canvas img").get_attribute("src")
    visit.tell("the sun on the right")
    visit.shows("a tree on the left", "the sun on the right")
    expect(page.locator("#live")).to_contain_text("Turn 2 drawn: the sun on the right")

    page.keyboard.press("Control+z")
    visit.shows("a tree on the left")
    assert page.locator(".canvas img").get_attribute("src") == first
    page.get_by_role("button", name="Redo").click()
    visit.shows("a tree on the left", "the sun on the right")
    page.keyboard.press("Alt+ArrowLeft")
    visit.shows("a tree on the left")
    visit.tell("the sun on the left")  # a branch grows
    visit.shows("a tree on the left", "the sun on the left")
    expect(visit.thumbs).to_have_count(4)
    expect(page.get_by_role("button", name="Turn 2: the sun on the left, seed 0, branch 1")).to_have_attribute(
        "aria-current", "true"
    )
    page.keyboard.press("Alt+ArrowUp")  # the same turn on the other branch
    visit.shows("a tree on the left", "the sun on the right")

    visit.tell("a large tree", "Control+Enter")
    candidates = page.locator(".candidate")
    expect(candidates).to_have_count(4)
    assert len({image.get_attribute("src") for image in candidates.locator("img").all()}) == 4
    page.keyboard.press("3")
    visit.shows("a tree on the left", "the sun on the right", "a large tree")
    expect(visit.thumbs).to_have_count(5)  # those not picked do not stand in the way
    expect(visit.field).to_be_focused()
    page.keyboard.press("Alt+a")
    expect(visit.thumbs).to_have_count(6)

    page.keyboard.press("Alt+v")
    expect(page.locator(".stage.two figure")).to_have_count(2)
    visit.thumbs.first.click()
    expect(page.locator(".stage.two figcaption").first).to_have_text("blank")
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    page.get_by_label("A name, to find this turn by").fill("dusk")
    page.keyboard.press("Enter")
    expect(page.locator(".thumb .tag")).to_have_text("dusk")

    page.keyboard.press("Control+s")
    files = {}
    for name in ("Picture (PNG)", "Turns as GIF", "Turns as WebP", "Contact sheet", "Drawing (JSON)"):
        with page.expect_download() as saved:
            page.get_by_role("link", name=name).click()
        files[name] = tmp_path / saved.value.suggested_filename
        saved.value.save_as(files[name])
    page.keyboard.press("Escape")
    told = ["a tree on the left", "the sun on the right", "a large tree"]
    assert [turn.instruction for turn in read_record(files["Picture (PNG)"]).history] == told
    for kind in ("GIF", "WebP"):
        with Image.open(files[f"Turns as {kind}"]) as frames:
            assert getattr(frames, "n_frames", 1) == 3
    assert len(json.loads(files["Drawing (JSON)"].read_text())["turns"]) == 8

    page.reload()
    visit.shows(*told)
    page.keyboard.press("Alt+d")
    visit.shows()
    page.keyboard.press("Alt+o")
    page.set_input_files("#import", files["Drawing (JSON)"])
    visit.shows(*told)
    expect(visit.thumbs).to_have_count(6)


def test_unknown_words_are_marked_while_typing(visit: Visit) -> None:
    visit.field.press_sequentially("a lagre tree ")
    expect(visit.page.locator(".mirror mark")).to_have_text("lagre")
    expect(visit.page.locator("#heard")).to_contain_text("Not known: lagre")
    visit.page.locator("#heard").get_by_role("button", name="large").click()
    expect(visit.field).to_have_value("a large tree ")
    expect(visit.page.locator(".mirror mark")).to_have_count(0)
    visit.tell("a xylophone and a tree")
    visit.shows("a xylophone and a tree")
    expect(visit.page.locator(".says mark")).to_have_text("xylophone")
    visit.tell("qqq zzz")  # nothing in it can be drawn: said, and given back
    expect(visit.page.get_by_role("alert")).to_contain_text("knows no word")
    expect(visit.field).to_have_value("qqq zzz")
    visit.shows("a xylophone and a tree")
    visit.complaints = [said for said in visit.complaints if "422" not in said]


def test_examples_come_from_the_weights_and_lead_on(visit: Visit) -> None:
    for number, told in enumerate(SCENE, start=1):
        visit.page.locator(".chip", has_text=told).click()
        visit.shows(*SCENE[:number])
    expect(visit.page.locator(".chip")).to_have_count(0)


def test_who_draws_is_shown_with_licence(visit: Visit) -> None:
    visit.page.get_by_role("button", name="toy").click()
    box = visit.page.get_by_role("dialog", name="Who draws")
    expect(box).to_contain_text("CC0")
    expect(box).to_contain_text("nothing yet")
    visit.page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    visit.page.keyboard.press("Escape")
    visit.page.locator("body").press("?")
    expect(visit.page.get_by_role("dialog", name="Keys and help")).to_be_visible()


def test_nothing_can_be_told_before_there_is_a_drawing(browser: Any, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    held: list[Any] = []
    hold = True
    page.route("**/api/sessions", lambda route: held.append(route) if hold else route.continue_())
    page.goto(address)
    expect(page.locator("#instruction")).to_be_disabled()
    page.keyboard.press("Alt+ArrowLeft")  # nor undone
    hold = False
    for route in held:
        route.continue_()
    expect(page.locator("#instruction")).to_be_enabled()
    context.close()


def test_several_turns_told_at_once_are_drawn_in_order(visit: Visit) -> None:
    for told in ("a tree", "the sun", "a large tree"):
        visit.tell(told)
    visit.shows("a tree", "the sun", "a large tree")


def test_two_windows_of_one_person_see_the_same_drawing(visit: Visit) -> None:
    visit.tell("a tree")
    visit.shows("a tree")
    other = visit.context.new_page()
    other.goto(visit.page.url)
    expect(other.locator(".says .said .words")).to_have_text(["a tree"])
    visit.tell("the sun")
    expect(other.locator(".says .said .words")).to_have_text(["a tree", "the sun"])


def test_everything_has_a_name_and_the_keyboard_reaches_it(visit: Visit) -> None:
    visit.tell("a tree")
    visit.shows("a tree")
    page = visit.page
    faults = page.evaluate("""() => {
        const named = (node) => (node.getAttribute("aria-label") || node.textContent || node.title || "").trim()
            || (node.labels && node.labels.length) || [...node.querySelectorAll("img")].some((image) => image.alt);
        const faults = [];
        for (const node of document.querySelectorAll("button, a, input, textarea, dialog, nav, [role=region]"))
            if (!named(node)) faults.push(`no name: ${node.outerHTML.slice(0, 80)}`);
        for (const node of document.querySelectorAll("img:not([alt])")) faults.push(`no alt: ${node.src}`);
        const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
        if (new Set(ids).size !== ids.length) faults.push("an id twice");
        if (document.documentElement.lang !== "en") faults.push("no language");
        for (const part of ["main", "header", "nav", "[aria-live]"])
            if (!document.querySelector(part)) faults.push(`no ${part}`);
        return faults;
    }""")
    assert faults == []
    page.locator("body").evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()"
            )
        )
    order = [
        "Skip to the instruction",
        "Title of this drawing",
        "toy",
        "New",
        "Drawings",
        "Help",
        "Undo",
        "Again",
        "Save",
        "Turn 1: a tree, seed 0",
    ]
    places = [reached.index(name) for name in order]
    assert places == sorted(places), reached
    assert "Instruction: what to draw next" in reached


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 568), (844, 390), (1024, 700)])
def test_it_fits_small_windows(browser: Any, address: str, width: int, height: int) -> None:
    visit = Visit(browser, address, viewport={"width": width, "height": height}, has_touch=True)
    for told in ("a tree", "the sun", "a large tree on the left of the sun and the tree"):
        visit.tell(told)
    visit.shows("a tree", "the sun", "a large tree on the left of the sun and the tree")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    for thing in (".canvas", "#instruction", "form .primary", ".tools"):
        expect(visit.page.locator(thing)).to_be_in_viewport(ratio=0.9)
    assert visit.page.locator(".canvas").bounding_box()["width"] >= min(width, height) * 0.3
    visit.close()


def test_light_and_dark(browser: Any, address: str) -> None:
    seen = []
    for scheme in ("light", "dark"):
        visit = Visit(browser, address, color_scheme=scheme)
        seen.append(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        visit.close()
    assert seen[0] != seen[1]


def test_the_page_of_the_api_is_made_here(visit: Visit) -> None:
    visit.page.goto(visit.page.url.split("#")[0] + "docs")
    expect(visit.page.locator(".operation")).not_to_have_count(0)
    expect(visit.page.locator("h3", has_text="/api/sessions/{session}/turns").first).to_be_visible()


def _luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_contrast_in_both_schemes() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    sheets = re.findall(r":root \{(.*?)\}", (PAGE / "studio.css").read_text(), re.DOTALL)[:2]
    for sheet in sheets:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", sheet))
        colour["green-ink"] = colour.get("green-ink", "#ffffff")
        pairs = [
            *itertools.product(("ink", "soft", "mark", "green"), ("paper", "sheet")),
            ("green-ink", "green"),
            ("ink", "green-soft"),
            ("ink", "hover"),
        ]
        for text, ground in pairs:
            low, high = sorted((_luminance(colour[text]), _luminance(colour[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
