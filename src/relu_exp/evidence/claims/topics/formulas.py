"""Formulas, printed values and shapes: claims decided by computing both sides. Group A.

A claim is decided by the check of the same name (`relu-exp run formulas`). One case that does not
agree refutes it and is printed.
"""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.cases import agreeing, cases_of, computed, formula, listed
from relu_exp.evidence.claims.registry import Evidence, Literature
from relu_exp.evidence.claims.verdicts import Effects

__all__: list[str] = []


@formula(
    "relu-definition",
    statement="ReLU is max(0, x): slope 0 to the left of 0, slope 1 to the right.",
    statement_ko="ReLU는 max(0, x)이며, 기울기는 x < 0에서 0, x > 0에서 1이다.",
    sources={
        "D0": "first paragraph",
        "D1": "ReLU 의 정의",
        "D2": "2.3",
        "D3": "ReLU(Rectified Linear Unit)",
        "D4": "2",
    },
    measure="value and slope of torch.relu at points from −10³⁰ to 10³⁰",
    says="every value equals max(0, x) and every slope away from 0 equals the stated one, exactly",
)
def relu_definition(evidence: Evidence) -> Effects:
    """Evaluate ReLU and its derivative; at 0 there is no slope, only conventions."""
    return computed(
        evidence,
        "relu-definition",
        "float64, PyTorch",
        [
            "At 0 there is no derivative, only a convention. D1 puts 1 there; "
            f"here {listed(evidence, 'relu-slope-at-zero')}."
        ],
    )


@formula(
    "leaky-relu-definition",
    statement="Leaky ReLU is max(αx, x) for 0 ≤ α < 1; α = 0 is ReLU and α = 1 is linear.",
    statement_ko="Leaky ReLU는 0 ≤ α < 1에서 max(αx, x)이며, α = 0이면 ReLU, α = 1이면 선형이다.",
    sources={"D0": "Leaky ReLU", "D1": "Leaky ReLU", "D2": "3.1"},
    measure="largest gap of max(αx, x) to the two pieces and to PyTorch's, |x| ≤ 10",
    says="every gap is at most 10⁻¹²",
)
def leaky_relu_definition(evidence: Evidence) -> Effects:
    """Compare max(αx, x) with the pieces and with PyTorch's function."""
    return computed(
        evidence,
        "leaky-relu-definition",
        "α of 0, 0.01, 0.2 and 0.99",
        [
            "The form with the maximum breaks where α leaves [0, 1]: "
            f"{listed(evidence, 'leaky-relu-beyond-one', failing=True)}."
        ],
    )


@formula(
    "leaky-relu-derivative-is-max",
    statement="The derivative of leaky ReLU is max(1, α).",
    statement_ko="Leaky ReLU의 도함수는 max(1, α)이다.",
    sources={"D1": "Leaky ReLU"},
    measure="slope by automatic differentiation at ±1",
    says="every slope equals max(1, α)",
)
def leaky_relu_derivative_is_max(evidence: Evidence) -> Effects:
    """Compare the stated derivative with the one PyTorch takes."""
    right = cases_of(evidence, "leaky-relu-derivative")
    return computed(
        evidence,
        "leaky-relu-derivative-is-max",
        "α of 0, 0.01 and 0.2",
        [
            "Right is: 1 for x > 0 and α for x < 0 "
            f"({int(right['holds'].sum())} of {len(right)} cases agree). With α below 1, "
            "max(1, α) is 1 everywhere, which is the derivative of the identity."
        ],
    )


@formula(
    "saturating-derivatives-below-one",
    statement="The derivatives of sigmoid and tanh are below 1 everywhere; sigmoid's lies in 0…1.",
    statement_ko=(
        "시그모이드와 tanh의 도함수는 어디에서나 1보다 작고, 시그모이드의 도함수는 0과 1 사이의 "
        "값이다."
    ),
    sources={"D0": "first paragraph", "D4": "1"},
    measure="largest derivative, |x| ≤ 30",
    says="both largest derivatives are below 1",
)
def saturating_derivatives_below_one(evidence: Evidence) -> Effects:
    """Search both derivatives for their largest value."""
    return computed(
        evidence,
        "saturating-derivatives-below-one",
        "20,001 points, float64",
        [
            "tanh′ reaches 1, at 0 only; σ′ reaches 1/4, at 0 only: "
            f"{listed(evidence, 'saturating-derivatives')}."
        ],
    )


@formula(
    "tanh-from-sigmoid",
    statement="tanh is a shifted and scaled sigmoid: tanh(x) = 2σ(2x) − 1.",
    statement_ko="tanh는 시그모이드를 평행이동하고 확대한 함수이다: tanh(x) = 2σ(2x) − 1.",
    sources={"D2": "2.2"},
    measure="largest gap of both sides, |x| ≤ 20",
    says="function and derivative agree to 10⁻¹⁵",
)
def tanh_from_sigmoid(evidence: Evidence) -> Effects:
    """Compare both sides of the identity and of its derivative."""
    return computed(evidence, "tanh-from-sigmoid", "20,001 points, float64")


@formula(
    "elu-definition",
    statement="ELU is smooth for x < 0 and converges to its α on the left (and is by Xu et al.).",
    statement_ko="ELU는 x < 0에서 매끄럽고, 왼쪽 끝에서 α로 수렴하며, Xu 등이 제안했다.",
    sources={"D2": "3.2"},
    measure="derivative below 0 against αeˣ; value at x = −800 against α",
    says="the derivative has no jump below 0 and the value on the left is α",
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
    smooth, limit = cases_of(evidence, "elu-smooth-below-zero"), cases_of(evidence, "elu-limit")
    # the check states the right limit −α: as the document writes it, α is expected
    stated = limit.assign(expected=-limit["expected"])
    stated["holds"] = (stated["found"] - stated["expected"]).abs() <= 1e-12
    return agreeing(
        pd.concat([smooth, stated]),
        "α of 0.5, 1 and 2",
        [
            "Smooth for x < 0: yes. The limit is −α, not α.",
            f"At 0 the slope jumps, except with α = 1: {listed(evidence, 'elu-smooth-at-zero')}.",
            "It is by Clevert, Unterthiner and Hochreiter (2015), not by Xu et al.",
        ],
    )


@formula(
    "linear-layers-collapse",
    statement="Layers without an activation between them are one linear layer, however many.",
    statement_ko="층 사이에 활성화 함수가 없으면 층을 아무리 많이 쌓아도 선형 층 하나와 같다.",
    sources={"D1": "first paragraph", "D3": "활성화 함수"},
    measure="largest gap of a stack's output to that of its weights' product; loss on XOR",
    says="gaps at most 10⁻⁹, at the start and after training; no loss below one layer's optimum",
)
def linear_layers_collapse(evidence: Evidence) -> Effects:
    """Multiply the weights out, before and after training; train stacks on XOR."""
    return computed(
        evidence,
        "linear-layers-collapse",
        "2, 4 and 10 layers, float64",
        [
            f"With ReLU between them: {listed(evidence, 'relu-layers-do-not-collapse')}.",
            "What a stack can express collapses, the path of its training does not: "
            f"{listed(evidence, 'linear-stacks-train-differently')}.",
        ],
    )


@formula(
    "step-does-not-train",
    statement="The step function is unusable for learning by gradient descent.",
    statement_ko="계단 함수를 쓰면 경사하강법으로 학습할 수 없다.",
    sources={"D3": "활성화 함수"},
    measure="movement of the hidden weights; test accuracy against a network of frozen hidden "
    "layers",
    says="no hidden weight moves, and accuracy equals that of frozen random features, exactly",
)
def step_does_not_train(evidence: Evidence) -> Effects:
    """Train with step units, once in full and once with the hidden layers frozen."""
    return computed(
        evidence,
        "step-does-not-train",
        "real digits, 784-100-100-10, 200 updates, 3 seeds",
        [
            "The hidden layers do not learn; the output layer does, on their random features. "
            f"{listed(evidence, 'step-output-layer-learns')}."
        ],
    )


@formula(
    "pytorch-examples",
    statement="The sample inputs of the PyTorch examples give the outputs printed beneath them.",
    statement_ko="PyTorch 예제의 입력을 넣으면 그 아래에 적힌 것과 같은 출력이 나온다.",
    sources={"D3": "Pytorch 코드 실습"},
    measure="each printed output, inputs and outputs being rounded to four decimals",
    says="every output lies within what the rounding hides",
)
def pytorch_examples(evidence: Evidence) -> Effects:
    """Compute every printed example again."""
    return computed(evidence, "pytorch-examples", "nn.Sigmoid, nn.Tanh and nn.ReLU")


@formula(
    "cnn-shapes",
    statement=(
        "The seven-convolution network's stages are 28, 28, 28, 24, 20 and 8 pixels wide, "
        "and its first linear layer fits."
    ),
    statement_ko=(
        "합성곱 층이 일곱 개인 신경망의 단계별 크기는 28, 28, 28, 24, 20, 8이고, 첫 선형 층의 입력 "
        "크기와 맞는다."
    ),
    sources={"D3": "Pytorch 코드 실습"},
    measure="size of every stage for a 28 × 28 image, the sixth after its pooling",
    says="every size equals the one in the comments",
)
def cnn_shapes(evidence: Evidence) -> Effects:
    """Run the model as the document declares it and read every stage's size."""
    return computed(
        evidence,
        "cnn-shapes",
        "the model as printed, written again layer by layer",
        [
            "The seventh convolution is declared and never used; the 8 is the size after the "
            f"pooling: {listed(evidence, 'cnn-beside', matching='conv7|gradient|pooling')}."
        ],
    )


@formula(
    "initializer-formulas",
    statement=(
        "Xavier and He draw by the stated variances, normal and uniform, and He's standard "
        "deviation is √2 times Xavier's."
    ),
    statement_ko=(
        "Xavier와 He 초기화는 정규분포든 균등분포든 문서에 나온 분산을 따르며, He의 표준편차는 "
        "Xavier의 √2배이다."
    ),
    sources={"D2": "4.3"},
    measure=(
        "scale of torch.nn.init's draws; standard deviation of this program's draws; He over "
        "Xavier where both go by the average of the fans, or the fans are equal"
    ),
    says="scales agree to 10⁻¹², samples within 5 standard errors, the ratio is √2",
)
def initializer_formulas(evidence: Evidence) -> Effects:
    """Compare the formulas with PyTorch, with samples, and with each other."""
    names = ("initializer-formulas", "initializer-samples", "he-over-xavier-one-fan")
    return agreeing(
        pd.concat([cases_of(evidence, name) for name in names]),
        "layers of 300 → 300, 784 → 100 and 100 → 784",
        [
            "The √2 asks for the same fan in both. He by fan-in over Xavier by the average, as "
            "PyTorch has them, is another number where the fans differ: "
            f"{listed(evidence, 'he-over-xavier-two-fans')}."
        ],
    )
