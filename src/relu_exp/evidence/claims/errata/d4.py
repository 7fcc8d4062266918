"""Errata of document D4, in the order of its text."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.erratum import CHECKED, Erratum

__all__ = ["D4"]

D4: tuple[Erratum, ...] = (
    Erratum(
        "D4",
        "1",
        "The gradient of the sigmoid takes values from 0 to 1.",
        "From 0 to 1/4. True as a bound, but four times too high: 1/4 is why ten layers lose a "
        "factor of a million by this alone.",
        "시그모이드의 그래디언트는 0과 1 사이의 값이다.",
        "0과 1/4 사이다. 범위로는 틀리지 않지만 네 배 느슨하다. 1/4이기 때문에 열 층이면 "
        "이것만으로 백만 배 줄어든다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D4",
        "1",
        "Gradients are multiplied from layer to layer, and numbers below 1 make them vanish.",
        "The weights are factors, too: weights of size 4 make up for 1/4. Vanishing is a matter of "
        "the function and the initialization together.",
        "층마다 1보다 작은 그래디언트를 곱하기 때문에 0으로 수렴한다.",
        "가중치도 함께 곱해진다. 소실 여부는 활성화 함수와 초기값이 함께 정한다.",
        "Glorot, Bengio 2010, AISTATS (second-hand)",
        "sigmoid-fails-beyond-nine-layers",
    ),
    Erratum(
        "D4",
        "2",
        "Once a negative number occurs, the node is never trained again.",
        "Only if it is negative on every sample. About half of all pre-activations are negative at "
        "any time, and the units go on learning from the others.",
        "한 번 음수가 나오면 그 노드는 더 이상 학습되지 않는다.",
        "모든 샘플에서 음수일 때만 그렇다. 보통 입력의 절반쯤은 음수이고, 나머지로 계속 학습한다.",
        "Karpathy, CS231n notes, neural networks 1 (read)",
        "one-negative-input-kills",
    ),
    Erratum(
        "D4",
        "4",
        "The last layer is a sigmoid (or tanh), because values from 0 to 1 around 0.5 classify.",
        "tanh goes from −1 to 1 and divides at 0. And neither is needed: the sign of the last sum "
        "decides the same class, several classes take a softmax, and regression none.",
        "마지막 층은 0과 1 사이, 0.5를 기준으로 하는 sigmoid(또는 tanh)를 쓴다.",
        "tanh의 범위는 −1에서 1, 기준은 0이다. 마지막 합의 부호만으로도 같은 분류가 되며, 여러 "
        "클래스에는 softmax를 쓴다.",
        "measured here: relu-exp claim sigmoid-output-for-binary",
        "sigmoid-output-for-binary",
    ),
)
