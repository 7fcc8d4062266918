"""Fixtures that the tests of several folders share."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# how long an example takes depends on what else the machine does
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a thread for each of the workers, as in training: with more they wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")

# only tests of the calibration measure this machine, or use what a user's commands have measured
os.environ["RELU_EXP_CALIBRATION"] = "off"

# whoever started the tests in the background had Ctrl-C ignored, and so would every child
signal.signal(signal.SIGINT, signal.default_int_handler)


TOGETHER = re.compile("test_(page|explorer|claims_formulas|verify|crash)")
"""Files whose tests share something that takes long to make: one worker makes it, not each."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if TOGETHER.match(item.path.name):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def no_plugins_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which plugins other tests named: printed commands name them all."""
    from relu_exp.core import plugin_loading

    monkeypatch.setattr(plugin_loading, "_NAMED_PLUGINS", [])


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Train as a worker process does: with one thread, so that results are bit for bit equal."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the browser that the tests of a module share."""
    from page_reader import started_browser

    with started_browser() as opened:
        yield opened


@pytest.fixture
def reader(browser: Any, results: Path) -> Iterator[Any]:
    """Return a `page_reader.Reader` of the page of `results`, a fixture of the module's own."""
    from page_reader import Reader

    reader = Reader(browser, results)
    yield reader
    reader.leave()
