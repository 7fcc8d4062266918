"""Schedules of the learning rate: their words, their shapes, and that a constant one is nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.core.run_keys import SCHEDULES
from relu_exp.engine import rates
from relu_exp.engine.training import train_fleet

from configs import make_run
from fleets import bits, fleet

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_schedule_that_can_be_configured_has_a_formula():
    assert tuple(rates.FACTORS) == SCHEDULES


@given(st.sampled_from(SCHEDULES), st.integers(1, 500))
def test_a_factor_is_positive_and_at_most_one(name: str, num_steps: int) -> None:
    found = [rates.FACTORS[name](step, num_steps) for step in range(num_steps)]
    assert all(0 < factor <= 1 for factor in found)


@given(st.integers(1, 500))
def test_a_warm_up_grows_and_then_has_the_full_rate(num_steps: int) -> None:
    found = [rates.FACTORS["warm_up"](step, num_steps) for step in range(num_steps)]
    assert found == sorted(found)
    assert found[-1] == 1
    assert sum(factor < 1 for factor in found) <= num_steps / 10


def test_schedules_change_what_is_learned_and_the_constant_one_does_not(monkeypatch):
    losses = {
        name: tuple(train_fleet([make_run(schedule=name, num_steps=20)])["curves"]["loss"])
        for name in SCHEDULES
    }
    assert len({*losses.values()}) == len(SCHEDULES)

    def never(step: int, num_steps: int) -> float:
        raise AssertionError("a constant rate is never computed")

    monkeypatch.setitem(rates.FACTORS, "constant", never)
    plain = train_fleet([make_run(num_steps=20)])
    assert tuple(plain["curves"]["loss"]) == losses["constant"]


def test_a_factor_of_one_gives_the_bits_of_a_constant_rate(monkeypatch):
    monkeypatch.setitem(rates.FACTORS, "cosine", lambda step, num_steps: 1.0)
    runs, constant = fleet(schedule="cosine"), fleet()
    found, expected = bits(train_fleet(runs)), bits(train_fleet(constant))
    assert found["curves"]["loss"] == expected["curves"]["loss"]
    assert found["layers"]["value"] == expected["layers"]["value"]


def test_the_rates_are_changed_where_they_lie():
    class Holder:
        learning_rates = torch.tensor([0.1, 0.2])

    before = Holder.learning_rates
    run = make_run(schedule="step", num_steps=8)
    rates.set_rates(Holder, torch.tensor([0.1, 0.2]), run, 4)
    assert before.tolist() == pytest.approx([0.01, 0.02])
