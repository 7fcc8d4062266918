"""The pool: pieces of work in other processes, in order, whatever happens to a process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from relu_exp.core.schema import UsageError
from relu_exp.launchers.pool import Pool

HERE = os.getpid()


def where(number: int, seconds: float = 0.0) -> tuple[int, int]:
    time.sleep(seconds)
    return number, os.getpid()


def refused() -> None:
    raise UsageError("this piece cannot be done")


def killed_elsewhere(here: int) -> int:
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def half_written(path: str) -> None:
    try:
        Path(path).touch()
        time.sleep(600)
    finally:
        Path(path).unlink()


def test_pieces_come_in_their_order_from_other_processes() -> None:
    seconds = [0.3, 0.0, 0.1, 0.0, 0.0]
    shown: list[tuple[int, int]] = []
    with Pool(2) as pool:
        pieces = [partial(where, number, each) for number, each in enumerate(seconds)]
        found = list(pool.do(pieces, lambda done, of: shown.append((done, of))))
        again = list(pool.do([partial(where, 7)]))
    assert [number for number, _ in found] == [0, 1, 2, 3, 4]
    assert HERE not in {process for _, process in found}
    assert len({process for _, process in found}) == 2
    assert shown[-1] == (5, 5)
    assert shown == sorted(shown)
    assert again[0][0] == 7


@pytest.mark.parametrize("num_processes", [0, 1])
def test_a_single_process_does_all_itself(num_processes: int) -> None:
    with Pool(num_processes) as pool:
        assert list(pool.do([partial(where, 1), partial(where, 2)])) == [(1, HERE), (2, HERE)]


def test_an_error_of_a_piece_is_raised_after_what_comes_before_it() -> None:
    with Pool(2) as pool:
        found = pool.do([partial(where, 0, 0.2), refused, partial(where, 2)])
        assert next(found)[0] == 0
        with pytest.raises(UsageError, match="cannot be done"):
            next(found)


def test_a_piece_whose_process_is_killed_is_done_here_and_the_others_go_on() -> None:
    with Pool(2) as pool:
        pieces = [partial(killed_elsewhere, HERE), partial(where, 1), partial(where, 2)]
        found = list(pool.do(pieces))
        assert found[0] == HERE
        assert [number for number, _ in found[1:]] == [1, 2]
        # without any process left
        assert list(pool.do([partial(killed_elsewhere, HERE)] * 2)) == [HERE, HERE]
        assert list(pool.do([partial(where, 3)])) == [(3, HERE)]


def local() -> Callable[[], int]:
    return lambda: os.getpid()


def test_what_cannot_be_pickled_is_done_here() -> None:
    with Pool(2) as pool:
        of_here, one, other = pool.do([local(), partial(where, 1), local])
    assert of_here == HERE
    assert one[1] != HERE
    assert other() == HERE


def test_an_ended_process_deletes_what_is_half_written(tmp_path: Path) -> None:
    pieces = [partial(half_written, str(tmp_path / name)) for name in ("one", "two")]

    def interrupt_once_both_are_begun() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(HERE, signal.SIGINT)

    Thread(target=interrupt_once_both_are_begun, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), Pool(2) as pool:
        list(pool.do(pieces))
    assert list(tmp_path.iterdir()) == []
