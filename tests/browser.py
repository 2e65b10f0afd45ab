"""A page in a browser: what it says where somebody points."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def chromium():
    """A Chromium without a window; the test is skipped where there is none that starts."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = next(filter(None, map(shutil.which, NAMES)), own if Path(own).exists() else None)
        if found is None:
            pytest.skip(f"no browser to point with: none of {', '.join(NAMES)} is installed")
        try:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error as error:
            pytest.skip(f"no browser to point with: {found} does not start: {str(error).splitlines()[0]}")
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page of a file, and what a browser complains of in it or asks the network for."""

    def __init__(self, browser, path, width=1280, places=("figure",), scheme="light"):
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints, self.asked = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(Path(path).as_uri())
        for place in places:
            self.page.wait_for_selector(f"#{place} svg")

    def marks(self, place, kind="point"):
        """The marks of a chart, those that only ring others too."""
        return self.page.locator(f"#{place} svg [aria-roledescription='{kind}']").all()

    def told(self, mark, aside=(0, 0)):
        """What is told where the mark is pointed at, or so many pixels beside its middle."""
        mark.evaluate("node => node.scrollIntoView({block: 'center', inline: 'center'})")
        box = mark.bounding_box()
        self.page.mouse.move(1, 1)
        self.page.mouse.move(box["x"] + box["width"] / 2 + aside[0], box["y"] + box["height"] / 2 + aside[1])
        tip = self.page.locator("#vg-tooltip-element.visible")
        tip.wait_for(timeout=5000)
        lines = [[cell.inner_text().strip() for cell in line.locator("td").all()] for line in tip.locator("tr").all()]
        return dict(lines)
