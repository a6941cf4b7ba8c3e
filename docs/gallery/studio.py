"""Takes the pictures of the studio in this folder: `python docs/gallery/studio.py` (needs Playwright and Chromium)."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).parent
FIRST = [
    "Add a red cube at the center",
    "Add a cyan sphere behind it on the left",
    "Add a yellow cylinder on the right",
]
BRANCH = ["Add a purple sphere in front of it on the right", "Add a green cylinder on the left"]
DESKTOP, PHONE = {"width": 1360, "height": 850}, {"width": 390, "height": 844}


def opened(context: Any, address: str) -> Any:
    """A page on which one can type."""
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#instruction")).to_be_enabled()
    return page


def drawn(page: Any, count: int) -> None:
    """Wait until so many turns are told and drawn."""
    expect(page.locator(".says button.said")).to_have_count(count, timeout=60_000)
    expect(page.locator(".pending")).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(1000)


def tell(page: Any, instruction: str, keys: str = "Enter") -> None:
    """Type and send."""
    page.fill("#instruction", instruction)
    page.press("#instruction", keys)


def take(browser: Any, address: str) -> None:
    """A drawing with a branch and candidates: light, dark, on a phone."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="light")
    page = opened(context, address)
    for count, instruction in enumerate(FIRST, start=1):
        tell(page, instruction)
        drawn(page, count)
    page.keyboard.press("Control+z")
    drawn(page, 2)
    for count, instruction in enumerate(BRANCH, start=3):
        tell(page, instruction)
        drawn(page, count)
    page.keyboard.press("Alt+n")
    page.fill("#turn-name", "with green")
    page.keyboard.press("Enter")
    page.fill("#instruction", "Add a blu cube behind it ")
    page.wait_for_timeout(3000)
    page.screenshot(path=HERE / "studio-light.png")
    tell(page, "Add a blue cube behind it", "Control+Enter")
    expect(page.locator(".candidate")).to_have_count(4, timeout=60_000)
    page.keyboard.press("2")
    drawn(page, 5)
    state = context.storage_state()
    dark = opened(browser.new_context(viewport=DESKTOP, color_scheme="dark", storage_state=state), page.url)
    drawn(dark, 5)
    dark.keyboard.press("Alt+c")
    dark.wait_for_timeout(1500)
    dark.screenshot(path=HERE / "studio-dark.png")
    touch = {"viewport": PHONE, "device_scale_factor": 1.5, "is_mobile": True, "has_touch": True}
    phone = opened(browser.new_context(**touch, color_scheme="light", storage_state=state), page.url)
    drawn(phone, 5)
    phone.screenshot(path=HERE / "studio-phone.png")


def main() -> None:
    """Serve a studio of our own, look at it, end it."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "telldraw", "studio", "--port", "0"]
        environment = os.environ | {"TELLDRAW_HOME": home}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            with sync_playwright() as tools:
                browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                take(browser, address)
                browser.close()
            server.terminate()


if __name__ == "__main__":
    main()
