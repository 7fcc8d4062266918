"""The page of an inspection in a real browser: both languages, both themes, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from page_reader import needs_chromium
from torch import nn

import relu_exp

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
)
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    layers = [each for _ in range(12) for each in (nn.Linear(20, 20), nn.Sigmoid())]
    report = relu_exp.inspect(
        nn.Sequential(*layers, nn.Linear(20, 5)), (torch.randn(32, 20), torch.arange(32) % 5)
    )
    return report.save(tmp_path_factory.mktemp("page") / "page.html").as_uri()


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("en", "light", 1024), ("ko", "dark", 1024), ("ko", "light", 360), ("en", "dark", 360)],
)
def test_the_page_fits_and_is_accessible(
    browser: Any, address: str, language: str, theme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda each: (
            None if each.url.startswith(("data:", address)) else complaints.append(each.url)
        ),
    )
    page.goto(f"{address}#?lang={language}")
    assert page.locator("#language").input_value() == language
    heading = page.locator("h1").inner_text()
    assert heading == {"en": "Inspection of Sequential", "ko": "Sequential 살펴보기"}[language]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert complaints == []
    context.close()


def test_the_language_changes_the_words_in_the_figures(browser: Any, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    assert page.get_by_text("gradient of the weights").first.is_visible()
    page.select_option("#language", "ko")
    assert page.locator(".charts").get_by_text("가중치의 기울기").first.is_visible()
    assert not page.locator(".charts").get_by_text("gradient of the weights").first.is_visible()
    context.close()


def test_without_javascript_the_page_is_read_in_either_language(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    for name, heading, notice in (
        ("한국어", "Sequential 살펴보기", "JavaScript 없이도"),
        ("English", "Inspection of Sequential", "Without JavaScript"),
    ):
        page.get_by_role("radio", name=name).check()
        assert page.locator("h1").inner_text() == heading
        assert notice in page.locator(".plain-word").inner_text()
    for useless in ("#language", "#theme", "button.copy"):
        assert not any(each.is_visible() for each in page.locator(useless).all()), useless
    context.close()
