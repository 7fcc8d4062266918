"""Errata of document D0, in the order of its text."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.erratum import CHECKED, Erratum

__all__ = ["D0"]

D0: tuple[Erratum, ...] = (
    Erratum(
        "D0",
        "first paragraph",
        "Derivatives of the saturating functions are below 1 everywhere.",
        "So is σ′ (at most 1/4, at 0). But tanh′(0) = 1: below 1 everywhere except at 0.",
        "시그모이드류 함수의 미분 계수는 모든 구간에서 1보다 작다.",
        "σ′는 최댓값이 1/4이므로 맞다. 그러나 tanh′(0) = 1로, 0에서는 1보다 작지 않다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D0",
        "drawbacks of ReLU",
        "Learning stops when the input of ReLU becomes 0.",
        "It is the whole negative side, not the value 0: the gradient vanishes for every input "
        "below 0 (and at 0 in PyTorch, by convention). What is 0 is the output.",
        "렐루의 입력이 0이 되면 학습이 멈춘다.",
        "0이라는 값이 아니라 음수 구간 전체의 문제다. 0이 되는 것은 입력이 아니라 출력이다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D0",
        "drawbacks of ReLU",
        "The weights behind (after) the ReLU are those that cannot be trained.",
        "Both sides, for two reasons: the weights that lead into the unit get a gradient of 0 "
        "because its slope is 0, those that lead out of it because its output is 0. On the way "
        "back it is everything before the ReLU that is cut off; biases behind it still learn. "
        "The next sentence of the document has it right.",
        "렐루 뒤쪽의 가중치를 학습할 수 없다.",
        "들어오는 가중치는 기울기가 0이라서, 나가는 가중치는 출력이 0이라서 갱신되지 않는다. "
        "역전파에서 막히는 쪽은 렐루의 앞쪽이며, 뒤쪽의 편향은 계속 학습된다.",
        "chain rule; Rumelhart, Hinton, Williams 1986, Nature 323",
    ),
    Erratum(
        "D0",
        "drawbacks of ReLU",
        "If all samples fall on the negative side, the weights can never be updated again.",
        "Never, while the unit's inputs stay as they are: this holds in the first layer. Above it "
        "the layers below go on learning, and can bring the unit back.",
        "모든 샘플이 음수 구간으로 들어오면 가중치는 영원히 갱신되지 않는다.",
        "입력이 고정된 첫 층에서만 그렇다. 그 위의 층에서는 아래층이 계속 학습하므로 "
        "뉴런이 되살아날 수 있다.",
        "measured here: relu-exp claim dead-units-never-recover",
        "dead-units-never-recover",
    ),
    Erratum(
        "D0",
        "leaky ReLU",
        "The slope below 0 of leaky ReLU is not 0, with α allowed to be 0.",
        "Not 0 needs 0 < α < 1. With α = 0 it is plain ReLU, as the document's own footnote says.",
        "α의 범위에 0이 들어 있는데도 음수 구간의 기울기가 0이 아니라고 한다.",
        "기울기가 0이 아니려면 0 < α < 1이어야 한다. α = 0이면 각주대로 보통의 렐루이다.",
        CHECKED,
        "leaky-relu-definition",
    ),
    Erratum(
        "D0",
        "last paragraph",
        "With ReLU and leaky ReLU the gradient on the negative side is still below 0.",
        "Below 1. It is 0 with ReLU and α with leaky ReLU; neither is ever negative.",
        "렐루와 리키렐루도 음수 구간의 기울기가 여전히 0보다 작다.",
        "1보다 작다고 해야 한다. 렐루는 0, 리키렐루는 α이며 음수가 되는 일은 없다.",
        CHECKED,
        "leaky-relu-derivative-is-max",
    ),
    Erratum(
        "D0",
        "footnote 3",
        "Skip connections solve vanishing gradients completely.",
        "They keep one path of slope 1. The residual networks that made it work also normalize "
        "every layer, and their authors call vanishing gradients an obstacle that normalization "
        "had largely removed before; what skips removed was the degradation of deeper networks.",
        "스킵 커넥션으로 그래디언트 소실을 완벽하게 해결할 수 있다.",
        "기울기가 1인 경로를 하나 남길 뿐이다. 레즈넷은 정규화를 함께 쓰며, 논문이 해결했다고 "
        "하는 것은 깊어질수록 훈련 오차가 커지는 열화 문제이다.",
        "He, Zhang, Ren, Sun 2016, CVPR, sections 1 and 4.1 (second-hand)",
        "skip-connections-restore-depth",
    ),
)
