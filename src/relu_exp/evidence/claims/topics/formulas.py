"""Formulas, printed values and shapes: claims decided by computing both sides. Group A.

A claim is decided by the check of the same name (`relu-exp run formulas`). One case that does not
agree refutes it and is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

EXPERIMENT = "formulas"
NUM_SHOWN = 3


def _rule(measure: str, says: str) -> Rule:
    return Rule(measure=measure, says=says, kind="cases", need="every")


@claim(
    "relu-definition",
    group="A",
    statement="ReLU is max(0, x): slope 0 to the left of 0, slope 1 to the right.",
    statement_ko="ReLU는 max(0, x)이며, 기울기는 x < 0에서 0, x > 0에서 1이다.",
    sources={
        "D0": "first paragraph",
        "D1": "ReLU 의 정의",
        "D2": "2.3",
        "D3": "ReLU(Rectified Linear Unit)",
        "D4": "2",
    },
    experiments=EXPERIMENT,
    rule=_rule(
        "value and slope of torch.relu at points from −10³⁰ to 10³⁰",
        "every value equals max(0, x) and every slope away from 0 equals the stated one, exactly",
    ),
)
def relu_definition(evidence: Evidence) -> Effects:
    """Evaluate ReLU and its derivative; at 0 there is no slope, only conventions."""
    return _computed(
        evidence,
        "relu-definition",
        "float64, PyTorch",
        [
            "At 0 there is no derivative, only a convention. D1 puts 1 there; "
            f"here {_listed(evidence, 'relu-slope-at-zero')}."
        ],
    )


@claim(
    "leaky-relu-definition",
    group="A",
    statement="Leaky ReLU is max(αx, x) for 0 ≤ α < 1; α = 0 is ReLU and α = 1 is linear.",
    statement_ko="Leaky ReLU는 0 ≤ α < 1에서 max(αx, x)이며, α = 0이면 ReLU, α = 1이면 선형이다.",
    sources={"D0": "Leaky ReLU", "D1": "Leaky ReLU", "D2": "3.1"},
    experiments=EXPERIMENT,
    rule=_rule(
        "largest gap of max(αx, x) to the two pieces and to PyTorch's, |x| ≤ 10",
        "every gap is at most 10⁻¹²",
    ),
)
def leaky_relu_definition(evidence: Evidence) -> Effects:
    """Compare max(αx, x) with the pieces and with PyTorch's function."""
    return _computed(
        evidence,
        "leaky-relu-definition",
        "α of 0, 0.01, 0.2 and 0.99",
        [
            "The form with the maximum breaks where α leaves [0, 1]: "
            f"{_listed(evidence, 'leaky-relu-beyond-one', failing=True)}."
        ],
    )


@claim(
    "leaky-relu-derivative-is-max",
    group="A",
    statement="The derivative of leaky ReLU is max(1, α).",
    statement_ko="Leaky ReLU의 도함수는 max(1, α)이다.",
    sources={"D1": "Leaky ReLU"},
    experiments=EXPERIMENT,
    rule=_rule("slope by automatic differentiation at ±1", "every slope equals max(1, α)"),
)
def leaky_relu_derivative_is_max(evidence: Evidence) -> Effects:
    """Compare the stated derivative with the one PyTorch takes."""
    right = _cases(evidence, "leaky-relu-derivative")
    return _computed(
        evidence,
        "leaky-relu-derivative-is-max",
        "α of 0, 0.01 and 0.2",
        [
            "Right is: 1 for x > 0 and α for x < 0 "
            f"({int(right['holds'].sum())} of {len(right)} cases agree). With α below 1, "
            "max(1, α) is 1 everywhere, which is the derivative of the identity."
        ],
    )


@claim(
    "saturating-derivatives-below-one",
    group="A",
    statement="The derivatives of sigmoid and tanh are below 1 everywhere; sigmoid's lies in 0…1.",
    statement_ko=(
        "시그모이드와 tanh의 도함수는 어디에서나 1보다 작고, 시그모이드의 도함수는 0과 1 사이의 "
        "값이다."
    ),
    sources={"D0": "first paragraph", "D4": "1"},
    experiments=EXPERIMENT,
    rule=_rule("largest derivative, |x| ≤ 30", "both largest derivatives are below 1"),
)
def saturating_derivatives_below_one(evidence: Evidence) -> Effects:
    """Search both derivatives for their largest value."""
    return _computed(
        evidence,
        "saturating-derivatives-below-one",
        "20,001 points, float64",
        [
            "tanh′ reaches 1, at 0 only; σ′ reaches 1/4, at 0 only: "
            f"{_listed(evidence, 'saturating-derivatives')}."
        ],
    )


@claim(
    "tanh-from-sigmoid",
    group="A",
    statement="tanh is a shifted and scaled sigmoid: tanh(x) = 2σ(2x) − 1.",
    statement_ko="tanh는 시그모이드를 평행이동하고 확대한 함수이다: tanh(x) = 2σ(2x) − 1.",
    sources={"D2": "2.2"},
    experiments=EXPERIMENT,
    rule=_rule("largest gap of both sides, |x| ≤ 20", "function and derivative agree to 10⁻¹⁵"),
)
def tanh_from_sigmoid(evidence: Evidence) -> Effects:
    """Compare both sides of the identity and of its derivative."""
    return _computed(evidence, "tanh-from-sigmoid", "20,001 points, float64")


@claim(
    "elu-definition",
    group="A",
    statement="ELU is smooth for x < 0 and converges to its α on the left (and is by Xu et al.).",
    statement_ko="ELU는 x < 0에서 매끄럽고, 왼쪽 끝에서 α로 수렴하며, Xu 등이 제안했다.",
    sources={"D2": "3.2"},
    experiments=EXPERIMENT,
    rule=_rule(
        "derivative below 0 against αeˣ; value at x = −800 against α",
        "the derivative has no jump below 0 and the value on the left is α",
    ),
    literature=(
        Literature(
            "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289",
            "proposes ELU. Xu et al. 2015 (arXiv:1505.00853) compares ReLUs and does not",
            "read",
        ),
    ),
)
def elu_definition(evidence: Evidence) -> Effects:
    """Evaluate ELU's derivative below 0, and the function itself far on the left."""
    smooth, limit = _cases(evidence, "elu-smooth-below-zero"), _cases(evidence, "elu-limit")
    # the check states the right limit −α: as the document writes it, α is expected
    stated = limit.assign(expected=-limit["expected"])
    stated["holds"] = (stated["found"] - stated["expected"]).abs() <= 1e-12
    return _agreeing(
        pd.concat([smooth, stated]),
        "α of 0.5, 1 and 2",
        [
            "Smooth for x < 0: yes. The limit is −α, not α.",
            f"At 0 the slope jumps, except with α = 1: {_listed(evidence, 'elu-smooth-at-zero')}.",
            "It is by Clevert, Unterthiner and Hochreiter (2015), not by Xu et al.",
        ],
    )


@claim(
    "linear-layers-collapse",
    group="A",
    statement="Layers without an activation between them are one linear layer, however many.",
    statement_ko="층 사이에 활성화 함수가 없으면 층을 아무리 많이 쌓아도 선형 층 하나와 같다.",
    sources={"D1": "first paragraph", "D3": "활성화 함수"},
    experiments=EXPERIMENT,
    rule=_rule(
        "largest gap of a stack's output to that of its weights' product; loss on XOR",
        "gaps at most 10⁻⁹, at the start and after training; no loss below one layer's optimum",
    ),
)
def linear_layers_collapse(evidence: Evidence) -> Effects:
    """Multiply the weights out, before and after training; train stacks on XOR."""
    return _computed(
        evidence,
        "linear-layers-collapse",
        "2, 4 and 10 layers, float64",
        [
            f"With ReLU between them: {_listed(evidence, 'relu-layers-do-not-collapse')}.",
            "What a stack can express collapses, the path of its training does not: "
            f"{_listed(evidence, 'linear-stacks-train-differently')}.",
        ],
    )


@claim(
    "step-does-not-train",
    group="A",
    statement="The step function is unusable for learning by gradient descent.",
    statement_ko="계단 함수를 쓰면 경사하강법으로 학습할 수 없다.",
    sources={"D3": "활성화 함수"},
    experiments=EXPERIMENT,
    rule=_rule(
        "movement of the hidden weights; test accuracy against a network of frozen hidden layers",
        "no hidden weight moves, and accuracy equals that of frozen random features, exactly",
    ),
)
def step_does_not_train(evidence: Evidence) -> Effects:
    """Train with step units, once in full and once with the hidden layers frozen."""
    return _computed(
        evidence,
        "step-does-not-train",
        "real digits, 784-100-100-10, 200 updates, 3 seeds",
        [
            "The hidden layers do not learn; the output layer does, on their random features. "
            f"{_listed(evidence, 'step-output-layer-learns')}."
        ],
    )


@claim(
    "pytorch-examples",
    group="A",
    statement="The sample inputs of the PyTorch examples give the outputs printed beneath them.",
    statement_ko="PyTorch 예제의 입력을 넣으면 그 아래에 적힌 것과 같은 출력이 나온다.",
    sources={"D3": "Pytorch 코드 실습"},
    experiments=EXPERIMENT,
    rule=_rule(
        "each printed output, inputs and outputs being rounded to four decimals",
        "every output lies within what the rounding hides",
    ),
)
def pytorch_examples(evidence: Evidence) -> Effects:
    """Compute every printed example again."""
    return _computed(evidence, "pytorch-examples", "nn.Sigmoid, nn.Tanh and nn.ReLU")


@claim(
    "cnn-shapes",
    group="A",
    statement=(
        "The seven-convolution network's stages are 28, 28, 28, 24, 20 and 8 pixels wide, "
        "and its first linear layer fits."
    ),
    statement_ko=(
        "합성곱 층이 일곱 개인 신경망의 단계별 크기는 28, 28, 28, 24, 20, 8이고, 첫 선형 층의 입력 "
        "크기와 맞는다."
    ),
    sources={"D3": "Pytorch 코드 실습"},
    experiments=EXPERIMENT,
    rule=_rule(
        "size of every stage for a 28 × 28 image, the sixth after its pooling",
        "every size equals the one in the comments",
    ),
)
def cnn_shapes(evidence: Evidence) -> Effects:
    """Run the model as the document declares it and read every stage's size."""
    return _computed(
        evidence,
        "cnn-shapes",
        "the model as printed, written again layer by layer",
        [
            "The seventh convolution is declared and never used; the 8 is the size after the "
            f"pooling: {_listed(evidence, 'cnn-beside', matching='conv7|gradient|pooling')}."
        ],
    )


@claim(
    "initializer-formulas",
    group="A",
    statement=(
        "Xavier and He draw by the stated variances, normal and uniform, and He's standard "
        "deviation is √2 times Xavier's."
    ),
    statement_ko=(
        "Xavier와 He 초기화는 정규분포든 균등분포든 문서에 나온 분산을 따르며, He의 표준편차는 "
        "Xavier의 √2배이다."
    ),
    sources={"D2": "4.3"},
    experiments=EXPERIMENT,
    rule=_rule(
        "scale of torch.nn.init's draws; standard deviation of this program's draws; He over "
        "Xavier where both go by the average of the fans, or the fans are equal",
        "scales agree to 10⁻¹², samples within 5 standard errors, the ratio is √2",
    ),
)
def initializer_formulas(evidence: Evidence) -> Effects:
    """Compare the formulas with PyTorch, with samples, and with each other."""
    names = ("initializer-formulas", "initializer-samples", "he-over-xavier-one-fan")
    return _agreeing(
        pd.concat([_cases(evidence, name) for name in names]),
        "layers of 300 → 300, 784 → 100 and 100 → 784",
        [
            "The √2 asks for the same fan in both. He by fan-in over Xavier by the average, as "
            "PyTorch has them, is another number where the fans differ: "
            f"{_listed(evidence, 'he-over-xavier-two-fans')}."
        ],
    )


def _cases(evidence: Evidence, check: str) -> pd.DataFrame:
    """Return the cases of one check.

    Raises:
        MissingRunsError: it was not computed.
    """
    table = evidence[EXPERIMENT].studied("checks")
    found = table[table["check"] == check] if len(table) else table
    if found.empty:
        raise MissingRunsError(f"{EXPERIMENT} holds no {check}: relu-exp run {EXPERIMENT}")
    return found


def _computed(evidence: Evidence, check: str, scope: str, notes: Sequence[str] = ()) -> Effects:
    return _agreeing(_cases(evidence, check), scope, notes)


def _agreeing(cases: pd.DataFrame, scope: str, notes: Sequence[str]) -> Effects:
    """Return cases with the counter-examples printed."""
    wrong = cases[~cases["holds"].astype(bool)]
    if wrong.empty:
        text = f"All {len(cases)} cases agree."
    else:
        shown = "; ".join(_said(case) for case in wrong.head(NUM_SHOWN).itertuples())
        text = f"{len(wrong)} of {len(cases)} cases do not agree: {shown}."
    return Effects(cases, scope=scope, notes=notes, text=text)


def _listed(evidence: Evidence, check: str, *, failing: bool = False, matching: str = "") -> str:
    """Return what the cases of a check found; of `failing` ones also what was stated."""
    cases = _cases(evidence, check)
    cases = cases[cases["case"].str.contains(matching)]
    if failing:
        wrong = cases[~cases["holds"].astype(bool)]
        return "; ".join(_said(case) for case in wrong.itertuples())
    return "; ".join(
        f"{case}: {_number(found)}"
        for case, found in zip(cases["case"], cases["found"], strict=True)
    )


def _said(case: Any) -> str:
    """Return one case in words: what is stated and what is found."""
    detail = f" ({case.detail})" if case.detail else ""
    return f"{case.case}: stated {_number(case.expected)}, found {_number(case.found)}{detail}"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
