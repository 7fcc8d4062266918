"""Somebody who reads the page in a real browser, and notes what the browser complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")

FOUND = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
CHROMIUM = next(filter(None, FOUND), "")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium")


@contextmanager
def started_browser() -> Iterator[Any]:
    """Start a browser, and close it after use."""
    with playwright.sync_playwright() as started:
        # a container's Chromium cannot make its own sandbox
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Reader:
    """Somebody who opens the page, and notes whatever the browser complains of or asks for."""

    def __init__(self, browser: Any, results: Path) -> None:
        self.browser = browser
        self.address = (results / "report.html").as_uri()
        self.complaints: list[str] = []

    def open(
        self, hash: str = "", width: int = 1280, until: str = ".side .panel", **options: Any
    ) -> Any:
        """Open the page in a window of a width, and wait until a selector is there."""
        context = self.browser.new_context(viewport={"width": width, "height": 800}, **options)
        page = context.new_page()
        page.on("console", lambda message: self.note(message.type, message.text))
        page.on("pageerror", lambda error: self.note("error", str(error)))
        page.on("request", lambda request: self.requested(request.url))
        page.goto(f"{self.address}{hash}")
        page.wait_for_selector(until)
        return page

    def note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def requested(self, url: str) -> None:
        if not url.startswith(("data:", "blob:", self.address)):
            self.complaints.append(f"asked for {url}")

    def leave(self) -> None:
        """Close every window; nothing may have been complained of."""
        for context in self.browser.contexts:
            context.close()
        assert self.complaints == []
