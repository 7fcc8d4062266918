"""Claims about formulas: what is computed, against closed forms and NumPy, and planted errors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from relu_exp.engine.studies import symmetry_checks
from relu_exp.engine.studies.registry import STUDIES
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.judging import judge_claim
from relu_exp.evidence.claims.registry import Evidence, all_claims, find_claim
from relu_exp.results.store import Columns, Store

import synthetic

FORMULAS = [claim.id for claim in all_claims() if claim.experiments == ("formulas",)]
REFUTED = {"leaky-relu-derivative-is-max", "saturating-derivatives-below-one", "elu-definition"}
"""By hand: leaky ReLU's slope below 0 is α; tanh′(0) = 1; ELU tends to −α."""


@pytest.fixture(scope="module")
def computed() -> Columns:
    return STUDIES["formulas"].make("cpu", None)["checks"]


@pytest.fixture(scope="module")
def cases(computed: Columns) -> dict[tuple[str, str], float]:
    keys = zip(computed["check"], computed["case"], strict=True)
    return dict(zip(keys, computed["found"], strict=True))


def written(root: Path, checks: Columns) -> Evidence:
    store = Store(root / "formulas")
    store.open()
    store.write_part("study-formulas-0", {"checks": checks})
    synthetic.write_manifest(
        store, [], studies={"formulas": "study-formulas-0"}, started="2100-01-01T00:00:00+00:00"
    )
    return Evidence(root)


@pytest.mark.parametrize("id", FORMULAS)
def test_a_formula_is_judged_as_by_hand(tmp_path: Path, computed: Columns, id: str) -> None:
    verdict = judge_claim(find_claim(id), written(tmp_path, computed))
    assert verdict.name == ("refuted" if id in REFUTED else "supported"), verdict.text
    assert verdict.scope


@pytest.mark.parametrize("id", sorted(set(FORMULAS) - REFUTED))
def test_one_case_that_does_not_agree_refutes_and_is_printed(
    tmp_path: Path, computed: Columns, id: str
) -> None:
    place = list(computed["check"]).index(id)
    planted = {key: list(values) for key, values in computed.items()}
    planted["holds"][place] = False
    verdict = judge_claim(find_claim(id), written(tmp_path, planted))
    assert verdict.name == "refuted"
    assert planted["case"][place] in verdict.text


@pytest.mark.parametrize("id", FORMULAS)
def test_without_the_study_nothing_is_decided(tmp_path: Path, id: str) -> None:
    assert judge_claim(find_claim(id), Evidence(tmp_path)).name == "not decided"


def test_the_numbers_are_those_of_closed_forms(cases: dict[tuple[str, str], float]) -> None:
    def at(check: str, case: str) -> float:
        return cases[check, case]

    assert at("leaky-relu-derivative", "α = 0.01, x = -1") == 0.01
    assert at("saturating-derivatives", "σ′(0)") == 0.25
    assert at("saturating-derivatives", "tanh′(0)") == 1.0
    assert at("elu-limit", "ELU(−800), α = 2") == -2.0
    assert at("elu-smooth-at-zero", "jump of the slope at 0, α = 2") == pytest.approx(-1)
    assert at("pytorch-examples", "Sigmoid(-0.8475)") == pytest.approx(1 / (1 + np.exp(0.8475)))
    xavier, he = math.sqrt(2 / (784 + 100)), math.sqrt(2 / 784)
    assert at("initializer-formulas", "xavier_normal, 784 → 100") == pytest.approx(xavier)
    assert at("initializer-formulas", "kaiming_normal fan_in, 784 → 100") == pytest.approx(he)
    assert at("he-over-xavier-two-fans", "normal, 784 → 100") == pytest.approx(he / xavier)
    # valid convolutions of 5 leave 4 pixels fewer; pooling by 2 halves
    assert at("cnn-shapes", "stage 4, pixels wide") == 28 - 4
    assert at("cnn-shapes", "stage 6, pixels wide") == (28 - 3 * 4) // 2


def test_units_that_do_not_start_equal_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def unequal(value: float, num_units: int = symmetry_checks.NUM_UNITS) -> list[torch.Tensor]:
        weights = equal(value, num_units)
        weights[0][-1] += 1e-3
        return weights

    equal = symmetry_checks._start
    monkeypatch.setattr(symmetry_checks, "_start", unequal)
    symmetry_checks._equal.cache_clear()
    found = list(symmetry_checks.identical_weights_stay_identical())
    symmetry_checks._equal.cache_clear()
    assert not any(case.holds for case in found if case.case.startswith("units apart"))


def test_an_erratum_names_a_document_a_source_and_claims_that_exist() -> None:
    assert len(ERRATA) > 20
    for erratum in ERRATA:
        assert erratum.document in {"D0", "D1", "D2", "D3", "D4"}
        assert all((erratum.section, *erratum.written, *erratum.right, erratum.source))
        if erratum.claim:
            find_claim(erratum.claim)
