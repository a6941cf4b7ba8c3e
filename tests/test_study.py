"""A study of preferences: the page in a real browser, files of answers, and what the figures are."""

import csv
import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from telldraw.cli import main
from telldraw.commands.study import COLUMNS
from telldraw.metrics.preferences import Answer, outcome, percent, wilson

METHODS = ("ours", "theirs", "other")
TEXTS = {"1": "She is smiling.", "2": 'A man with a "hat" & <b>beard</b>', "10": "blond hair, eyeglasses"}
COLOURS = {"ours": (200, 30, 30), "theirs": (30, 200, 30), "other": (30, 30, 200)}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Answering = Callable[..., None]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three methods' pictures, each of one colour, and the texts; the working folder."""
    monkeypatch.chdir(tmp_path)
    for method in METHODS:
        (tmp_path / method).mkdir()
        for number, name in enumerate(TEXTS):
            pixels = np.full((24, 24, 3), COLOURS[method], np.uint8)
            pixels[:, : 4 * (number + 1)] = 255
            note = PngImagePlugin.PngInfo()
            note.add_text("drawn by", f"secret-{method}")
            Image.fromarray(pixels).save(tmp_path / method / f"{name}.png", pnginfo=note)
    lines = [f"{name}.png\t{text}\n" for name, text in TEXTS.items()]
    (tmp_path / "captions.tsv").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def make(*more: str, captions: str = "captions.tsv") -> int:
    return main(["study", "make", *(f"{name}={name}" for name in METHODS), "--captions", captions, *more])


# --- figures ------------------------------------------------------------------------------------------------------


def answers(*chosen: str, items: int = 10**9, raters: int = 1) -> list[Answer]:
    return [Answer(f"r{n % raters}", f"{n // raters % items}", "fits", each) for n, each in enumerate(chosen)]


def test_shares_are_counted_and_one_raters_interval_is_wilsons() -> None:
    found = outcome("fits", answers(*"aaab"), "abc")
    assert [(each.method, each.share, each.chosen) for each in found.methods] == [
        *(("a", 0.75, 3), ("b", 0.25, 1), ("c", 0, 0))
    ]
    assert found.agreement is None and (found.answers, found.raters, found.items) == (4, 1, 4)
    low, high = wilson(0.75, 4)
    assert (found.methods[0].low, found.methods[0].high) == pytest.approx((low, high))
    # Wilson's interval in its other form: the shares p0 with |p - p0| = z sqrt(p0 (1 - p0) / n)
    for end in (low, high):
        assert abs(0.75 - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / 4))


def test_what_raters_say_alike_of_one_text_counts_once() -> None:
    once = outcome("fits", answers(*"aabbab"), "ab").methods[0]
    thrice = answers(*(each for each in "aabbab" for _ in range(3)), raters=3)
    found = outcome("fits", thrice, "ab")
    assert found.agreement == 1 and (found.items, found.raters, found.answers) == (6, 3, 18)
    assert (found.methods[0].low, found.methods[0].high) == pytest.approx((once.low, once.high))
    # and where they do not agree at all, more raters are more answers
    mixed = outcome("fits", answers(*"abbaabbaabba", raters=2), "ab")
    assert mixed.agreement == 0 and mixed.methods[0].low == pytest.approx(wilson(0.5, 12)[0])


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.integers(1, 8), st.integers(1, 4))
def test_shares_sum_to_a_hundred_and_lie_in_their_intervals(chosen: list[str], items: int, raters: int) -> None:
    found = outcome("fits", answers(*chosen, items=items, raters=raters), "abcd")
    assert sum(each.share for each in found.methods) == pytest.approx(1)
    for each in found.methods:
        assert 0 <= each.low <= each.share + 1e-12 and each.share - 1e-12 <= each.high <= 1
    shown = percent([each.share for each in found.methods])
    assert round(sum(shown), 6) == 100
    assert all(abs(one - 100 * each.share) < 0.1 for one, each in zip(shown, found.methods, strict=True))


def test_figures_refuse_what_is_no_answer() -> None:
    with pytest.raises(ValueError, match="no answer"):
        outcome("fits", [], "ab")
    with pytest.raises(ValueError, match="'c' was chosen, and is none of a, b"):
        outcome("fits", answers("c"), "ab")
    with pytest.raises(ValueError, match="sum to 1"):
        percent([0.5, 0.4])
    with pytest.raises(ValueError, match="more than no answers"):
        wilson(0.5, 0)


# --- the page -----------------------------------------------------------------------------------------------------


def content(page: Path) -> dict[str, Any]:
    line = next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("const study = "))
    return json.loads(line.removeprefix("const study = ").removesuffix(";"))


def test_the_page_holds_everything_and_pixels_alone(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make("--out", "study") == 0
    said = capsys.readouterr()
    assert said.out == "study/study.html\n" and "3 texts, 3 methods: 6 answers of each rater" in said.err
    page = folders / "study" / "study.html"
    found = content(page)
    assert [(item["name"], item["text"]) for item in found["items"]] == list(TEXTS.items())
    assert all(picture.startswith("data:image/png;base64,") for item in found["items"] for picture in item["pictures"])
    whole = page.read_text(encoding="utf-8")
    assert "<b>beard" not in whole and "http:" not in whole and "https:" not in whole
    import base64

    for item in found["items"]:
        for picture in item["pictures"]:
            assert b"secret" not in base64.b64decode(picture.partition(",")[2])


def test_the_same_study_is_the_same_page_and_another_is_another(folders: Path) -> None:
    pages = []
    for seed, count in ((0, 2), (0, 2), (1, 2), (0, 3)):
        assert make("--out", "study", "--seed", str(seed), "--count", str(count)) == 0
        pages.append((folders / "study" / "study.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1] and len(set(pages)) == 3
    (folders / "captions.json").write_text(json.dumps(TEXTS))
    assert make("--out", "again", captions="captions.json") == 0
    assert (folders / "again" / "study.html").read_text(encoding="utf-8") == pages[3]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    tools = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if BROWSER is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with tools.sync_playwright() as started:
        window = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield window
        window.close()


class Rater:
    """Somebody before the page."""

    def __init__(self, browser: Any, page: Path, **options: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page, self.asked, self.complaints = self.context.new_page(), list[str](), list[str]()
        self.page.set_default_timeout(20_000)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.address = page.as_uri()
        self.page.goto(self.address)

    def begin(self, name: str) -> None:
        """Say who it is."""
        self.page.get_by_label("Your name or a nickname").fill(name)
        self.page.keyboard.press("Enter")
        self.page.locator("#ask, #done").locator("visible=true").first.wait_for()

    def prefer(self, colour: str) -> None:
        """Press the key of the picture whose colour is this method's."""
        place = self.page.evaluate(
            """async colour => {
                for (const [place, image] of [...document.querySelectorAll(".picture img")].entries()) {
                    await image.decode();
                    const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
                    const pen = canvas.getContext("2d");
                    pen.drawImage(image, 0, 0);
                    if ([...pen.getImageData(23, 12, 1, 1).data].slice(0, 3).join() === colour) return place + 1;
                }
            }""",
            ",".join(map(str, COLOURS[colour])),
        )
        self.page.keyboard.press(str(place))

    def question(self) -> str:
        """What is asked now."""
        return self.page.locator("#question").inner_text()

    def download(self, file: Path) -> list[dict[str, str]]:
        """Press the button that is shown."""
        with self.page.expect_download() as started:
            self.page.locator("[data-download]").locator("visible=true").click()
        started.value.save_as(file)
        with file.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def close(self) -> None:
        """Leave; nothing was asked for but the page, and nothing went wrong."""
        self.context.close()
        assert self.complaints == []
        assert {url for url in self.asked if not url.startswith(("data:", "blob:"))} == {self.address}


def test_a_rater_answers_by_keys_goes_back_comes_again_and_downloads(
    folders: Path, browser: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make("--out", "study", "--title", "Faces") == 0
    rater = Rater(browser, folders / "study" / "study.html")
    rater.begin("Ada, the 1st")
    page = rater.page
    assert page.locator("#count").inner_text() == "Question 1 of 6" and page.title() == "Faces"
    said = page.locator("#said").inner_text()
    assert said in TEXTS.values()
    rater.prefer("other")
    assert page.locator("#count").inner_text() == "Question 2 of 6"
    page.keyboard.press("ArrowLeft")  # a second thought
    assert page.locator("#said").inner_text() == said
    assert page.locator(".picture[aria-pressed=true]").count() == 1
    rater.prefer("ours")
    rater.prefer("ours")
    assert len(rater.download(folders / "half.csv")) == 2
    page.reload()  # what was answered is still there
    page.get_by_label("Your name").fill("Ada, the 1st")
    assert "2 of 6 questions are answered already" in page.locator("#found").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("#count").inner_text() == "Question 3 of 6"
    rater.prefer("theirs")
    assert rater.question() == "Which picture looks most real?" and page.locator("#said").is_hidden()
    for _ in range(3):
        page.locator(".picture").first.click()  # by mouse
    assert page.locator("#done h1").inner_text().startswith("Thank you")
    assert page.locator("#bar").get_attribute("aria-valuenow") == "6"
    rows = rater.download(folders / "ada.csv")
    rater.close()
    assert tuple(rows[0]) == COLUMNS and {row["rater"] for row in rows} == {"Ada, the 1st"}
    fits = [row for row in rows if row["question"] == "fits"]
    assert sorted(row["picture"] for row in fits) == sorted(TEXTS)
    assert sorted(row["chosen"] for row in fits) == ["ours", "ours", "theirs"]
    for row in rows:
        assert row["shown"].split("|")[int(row["place"]) - 1] == row["chosen"]
        assert sorted(row["shown"].split("|")) == sorted(METHODS)
    capsys.readouterr()
    assert main(["study", "sum", "ada.csv", "--json"]) == 0
    first, _ = json.loads(capsys.readouterr().out)["questions"]
    assert {each["method"]: each["chosen"] for each in first["methods"]} == {"ours": 2, "theirs": 1, "other": 0}


def test_everyone_sees_an_order_of_their_own_and_always_the_same(folders: Path, browser: Any) -> None:
    assert make("--out", "study") == 0
    orders = []
    for name in ("Ada", "Ben", "Cleo", "Ada"):
        rater = Rater(browser, folders / "study" / "study.html", viewport={"width": 390, "height": 760})
        rater.begin(name)
        for _ in range(6):
            rater.page.keyboard.press("1")
        rows = rater.download(folders / "answers.csv")
        assert rater.page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # a phone shows all of it
        rater.close()
        orders.append([(row["picture"], row["shown"]) for row in rows])
    assert orders[0] == orders[3] and len({str(order) for order in orders}) == 3


# --- summing up ---------------------------------------------------------------------------------------------------


def written(file: Path, rater: str, chosen: str, *, study: str = "s1", shown: str = "a|b") -> Path:
    rows = [[study, rater, str(n), "fits", each, shown, "1", "2.0", "2026-01-01"] for n, each in enumerate(chosen)]
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    return file


def test_several_raters_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(written(tmp_path / f"{name}.csv", name, said)) for name, said in (("x", "aab"), ("y", "abb"))]
    assert main(["study", "sum", *files, "--plot", str(tmp_path / "shares.png")]) == 0
    said = capsys.readouterr().out
    assert "6 answers of 2 raters, 3 texts; by chance 50.0 % each" in said
    assert "two raters of one text agree in 67 % of pairs, by chance in 50 %" in said
    shares = [float(line.split()[1]) for line in said.splitlines() if line[:2] in ("a ", "b ")]
    assert shares == [50.0, 50.0]
    with Image.open(tmp_path / "shares.png") as plot:
        assert plot.width > 300


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["make"], "0 methods: from 2 to 9 are needed"),
        (["make", "ours=ours"], "1 methods: from 2 to 9 are needed, each as METHOD=FOLDER"),
        (["make", "ours=ours", "theirs"], "'theirs': a method is given as METHOD=FOLDER"),
        (["make", "ours=ours", "ours=theirs"], "the method 'ours' is named twice"),
        (["make", "a|b=ours", "c=theirs"], "'a|b': the name of a method has at most 60 letters and no |"),
        (["make", "ours=ours", "theirs=nowhere"], "there is no folder nowhere"),
        (["make", "ours=ours", "theirs=few"], "few (theirs) has no picture called '2' and 1 more, which has a text"),
        (["make", "ours=ours", "theirs=theirs", "--count", "4"], "--count 4: there are 3 texts"),
        (["make", "ours=ours", "theirs=theirs", "--count", "0"], "--count 0: at least 1 is needed"),
        (["make", "ours=ours", "theirs=theirs", "--captions", "no.tsv"], "--captions no.tsv cannot be read"),
        (
            ["make", "ours=ours", "theirs=theirs", "--captions", "odd.tsv"],
            "--captions odd.tsv, line 2: a file name, a tab",
        ),
        (["make", "ours=ours", "theirs=theirs", "--captions", "two.tsv"], "two.tsv, line 2: '1' has a text already"),
        (["make", "ours=ours", "theirs=theirs", "--captions", "odd.json"], "odd.json is not JSON"),
        (["make", "ours=ours", "theirs=theirs", "--captions", "empty.tsv"], "--captions empty.tsv is empty"),
        (["sum"], "name the files of answers"),
        (["sum", "no.csv"], "no.csv cannot be read"),
        (["sum", "captions.tsv"], "captions.tsv does not begin with the columns study,rater"),
        (["sum", "one.csv", "other.csv"], "one.csv and other.csv are answers to different studies"),
        (["sum", "one.csv", "same.csv"], "same.csv, line 2: 'x' answered this before, in one.csv"),
        (["sum", "one.csv", "methods.csv"], "methods.csv, line 2: other methods were shown than before (a, b)"),
        (["sum", "wrong.csv"], "wrong.csv, line 2: 'c' is not one of the methods shown"),
        (["sum", "short.csv"], "short.csv, line 2: 9 columns were expected"),
        (["sum", "none.csv"], "none.csv holds no answers"),
        (["sum", "one.csv", "--plot", "one.jpg"], "--plot one.jpg"),
        (["ask"], "telldraw study 'ask': choose from make, sum"),
    ],
)
def test_bad_input_gets_one_sentence(
    words: list[str], sentence: str, folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folders / "few").mkdir()
    shutil.copy(folders / "ours" / "1.png", folders / "few")
    (folders / "odd.tsv").write_text("1\tone\n2 two\n")
    (folders / "two.tsv").write_text("1.png\tone\n1\ttwo\n")
    (folders / "odd.json").write_text("{")
    (folders / "empty.tsv").write_text("")
    written(folders / "one.csv", "x", "a")
    written(folders / "same.csv", "x", "b")
    written(folders / "other.csv", "y", "a", study="s2")
    written(folders / "methods.csv", "y", "c", shown="a|c")
    written(folders / "wrong.csv", "y", "c")
    written(folders / "none.csv", "y", "")
    (folders / "short.csv").write_text(",".join(COLUMNS) + "\ns1,x,1\n")
    more = [] if words[0] != "make" or "--captions" in words else ["--captions", "captions.tsv"]
    assert main(["study", *words, *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said and said.count("\n") == 1


def test_sizes_that_differ_are_said(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in TEXTS:
        Image.new("RGB", (48, 48)).save(folders / "other" / f"{name}.png")
    Image.new("RGB", (24, 24)).save(folders / "ours" / "spare.png")
    assert make("--out", "study") == 0
    said = capsys.readouterr().err
    assert "differ in size (ours 24x24, theirs 24x24, other 48x48), which raters can see" in said
    assert "1 pictures have no text and are left out, such as 'spare'" in said
