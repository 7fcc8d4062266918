"""Errata: what the documents get wrong as written, each with the right statement and its source."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ERRATA", "Erratum"]


@dataclass(frozen=True)
class Erratum:
    """One mistake: where it stands, what is written (paraphrased), what is right, by whom.

    `claim` is the claim that tests it, None where no computation is needed.
    """

    document: str
    section: str
    written: str
    right: str
    written_ko: str
    right_ko: str
    source: str
    claim: str | None = None


CHECKED = "computed here: relu-exp run formulas"

ERRATA: tuple[Erratum, ...] = (
    # D0
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
    # D1
    Erratum(
        "D1",
        "ReLU 미분",
        "The derivative of ReLU at x = 0 is 1.",
        "There is none at 0: the slope is 0 on the left and 1 on the right, and every number from "
        "0 to 1 is a subgradient. PyTorch takes 0.",
        "x = 0에서 ReLU의 미분은 1이다.",
        "0에서는 미분할 수 없다. 왼쪽 기울기는 0, 오른쪽은 1이고, 0과 1 사이의 모든 수가 "
        "부분기울기이다. 파이토치는 0을 쓴다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D1",
        "Leaky ReLU 미분",
        "The derivative of leaky ReLU is max(1, α).",
        "1 for x > 0 and α for x < 0. As written it is 1 for every x, for α is below 1: the "
        "derivative of the identity. At α = 0.01 and x = −1 it gives 1, and the slope is 0.01.",
        "Leaky ReLU의 미분은 max(1, α)이다.",
        "x > 0이면 1, x < 0이면 α이다. α < 1이므로 적힌 식은 항상 1, 곧 항등 함수의 미분이다.",
        CHECKED,
        "leaky-relu-derivative-is-max",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "ReLU has a discontinuity at 0.",
        "ReLU is continuous everywhere. What jumps at 0 is its derivative.",
        "ReLU는 0에서 불연속이다.",
        "ReLU는 모든 곳에서 연속이다. 0에서 불연속인 것은 도함수이다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Its lack of smoothness gives ReLU the troubles of the Lasso, and slows convergence.",
        "The kink of the Lasso lies at the optimum, which is why steps of one size bounce about "
        "it; that of ReLU lies in the pre-activations, and an optimum need not have any of them at "
        "0. The same document and the others say that ReLU converges faster.",
        "매끄럽지 않아서 Lasso와 같은 문제를 가지며 수렴이 느려진다.",
        "Lasso의 꺾인 점은 최적점에 있지만 ReLU의 꺾인 점은 각 층의 입력에 있어 최적점과 "
        "일치할 이유가 없다. 같은 문서들이 ReLU의 수렴이 빠르다고도 한다.",
        "measured here: relu-exp claim relu-bounces-near-optimum",
        "relu-bounces-near-optimum",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Once an input is 0 or below, the output is fixed at 0 from then on.",
        "For that sample and for now. A unit that is 0 on some samples learns from the others; it "
        "is dead only when its slope is 0 on all of them.",
        "입력이 한 번 0 이하가 되면 그 뒤로 출력이 0으로 고정된다.",
        "그 샘플에서만 그렇다. 다른 샘플에서 양수이면 계속 학습하며, 모든 샘플에서 기울기가 "
        "0일 때에만 죽은 뉴런이다.",
        "Karpathy, CS231n notes, neural networks 1: never active on any data point (read)",
        "one-negative-input-kills",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Dying ReLU means that more than half of the nodes become 0, an excess of sparsity.",
        "Sparse (0 on a given sample, as about half are at the start) and dead (slope 0 on every "
        "sample) are two things. Neither has a limit of one half.",
        "절반 이상의 노드가 0이 되는 지나친 희소성이 dying ReLU이다.",
        "한 샘플에서 0인 것(희소)과 모든 샘플에서 기울기가 0인 것(죽음)은 다르다. "
        "초기에는 보통 절반쯤이 희소하며, 절반이라는 기준도 없다.",
        "Glorot, Bordes, Bengio 2011, AISTATS (second-hand)",
        "relu-activations-are-sparse",
    ),
    Erratum(
        "D1",
        "ReLU 의 장점",
        "ReLU's sparse activations curb overfitting as the L1 norm of the Lasso does.",
        "The Lasso makes weights sparse by a penalty; ReLU makes outputs sparse without one. They "
        "are different quantities. The study that the document cites for leaky ReLU calls its own "
        "findings negative on the belief that sparsity is what makes ReLU good.",
        "ReLU의 희소한 출력이 L1 정규화처럼 과적합을 막는다.",
        "Lasso는 벌점으로 가중치를, ReLU는 벌점 없이 출력을 희소하게 한다. 문서가 인용하는 "
        "Xu 등(2015)은 희소성이 성능의 열쇠라는 믿음에 부정적인 결과를 보고한다.",
        "Xu, Wang, Chen, Li 2015, arXiv:1505.00853, abstract (read)",
        "sparsity-reduces-overfitting",
    ),
    Erratum(
        "D1",
        "ReLU 의 장점",
        "An activation function must be non-linear, and ReLU is so by its slope of 0 below 0.",
        "Any second slope will do: leaky ReLU has none that is 0 and is non-linear too. What makes "
        "both non-linear is that the two slopes differ.",
        "음수에서 기울기가 0이기 때문에 비선형이다.",
        "기울기가 0일 필요는 없다. 두 구간의 기울기가 다르면 비선형이며 Leaky ReLU도 그렇다.",
        CHECKED,
        "linear-layers-collapse",
    ),
    Erratum(
        "D1",
        "Parametric Leaky ReLU (PReLU) and Randomized Leaky ReLU (RReLU)",
        "RReLU uses, for inference, the mean of the values drawn in training.",
        "The mean of the range they are drawn from, (lower + upper) / 2; what was drawn is not "
        "kept.",
        "RReLU는 추론할 때 학습에 쓰인 값들의 평균을 쓴다.",
        "뽑힌 값들이 아니라 뽑는 구간의 평균 (lower + upper) / 2를 쓴다.",
        "torch.nn.RReLU, checked here; Xu, Wang, Chen, Li 2015, arXiv:1505.00853 (second-hand)",
        "rrelu-beats-prelu-on-small-data",
    ),
    # D2
    Erratum(
        "D2",
        "1",
        "The weights grow exponentially when gradients explode, and training becomes diverse.",
        "It diverges. And it is the gradients that grow from layer to layer towards the input; "
        "the weights blow up after that, from update to update.",
        "그래디언트가 폭주하면 가중치가 기하급수적으로 커지고 diverse하게 된다.",
        "diverse(다양한)가 아니라 diverge(발산)이다. 층을 따라 커지는 것은 그래디언트이고, "
        "가중치는 그 뒤에 갱신을 거듭하며 커진다.",
        "spelling; Pascanu, Mikolov, Bengio 2013, ICML (second-hand)",
        "gradients-can-explode",
    ),
    Erratum(
        "D2",
        "2.1",
        "The gradient of a saturated neuron is 0, so that nothing at all arrives below it.",
        "It is small, never 0 in exact arithmetic: σ′ = σ(1 − σ) > 0 for every input. It shrinks "
        "by a factor per layer, which is what vanishing means.",
        "포화된 뉴런의 그래디언트는 0이라서 아래층에는 아무것도 전달되지 않는다.",
        "σ′ = σ(1 − σ)는 작을 뿐 결코 0이 아니다. 층마다 일정 비율로 줄어드는 것이 "
        "그래디언트 소실이다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D2",
        "2.1",
        "Because the sigmoid is positive, the weighted sum of outputs tends to exceed that of the "
        "inputs, and therefore the variance grows with every layer.",
        "A positive mean shifts the next pre-activations by the mean times the sum of the weights. "
        "That is a bias, and no reason for a growing variance: what sets the variance over samples "
        "is the weights' size and σ′ ≤ 1/4, by which it shrinks at the usual initializations. "
        "Saturation of the top layer was observed during training, not at the start.",
        "시그모이드의 출력이 양수라서 층을 지날 때마다 분산이 계속 커진다.",
        "양의 평균은 다음 층의 입력을 옮길 뿐 분산을 키울 이유가 아니다. 보통의 초기값에서는 "
        "σ′ ≤ 1/4 때문에 샘플에 대한 분산이 오히려 줄어든다. 최상층의 포화는 학습 중에 관찰된 "
        "현상이다.",
        "Glorot, Bengio 2010, AISTATS, section 3.1 (second-hand); relu-exp claim "
        "sigmoid-variance-grows",
        "sigmoid-variance-grows",
    ),
    Erratum(
        "D2",
        "2.2",
        "tanh is centered on 0, so there is no bias shift.",
        "At the start and for centered inputs. Biases and weights learn, and with them the mean of "
        "a tanh layer moves away from 0; an odd function does not forbid it.",
        "tanh는 원점 중심이므로 편향 이동이 일어나지 않는다.",
        "평균이 0인 입력과 초기 상태에서만 그렇다. 학습이 진행되면 tanh 층의 평균도 0에서 "
        "벗어날 수 있다.",
        "measured here: relu-exp claim tanh-outputs-centred",
        "tanh-outputs-centred",
    ),
    Erratum(
        "D2",
        "2.3",
        "ReLU passes inputs of 0 and above and outputs 0 for inputs of 0 and below.",
        "Harmless for the value, which is 0 either way, but 0 stands on both sides: whoever takes "
        "the derivative from it gets two slopes at 0.",
        "입력이 0 이상이면 그대로, 0 이하이면 0을 출력한다고 하여 0이 두 번 나온다.",
        "값은 어느 쪽이든 0이지만 이 정의로는 0에서의 기울기가 둘이 된다. 한쪽은 초과나 "
        "미만이어야 한다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D2",
        "2.3",
        "ReLU converges six times as fast as sigmoid and tanh.",
        "The cited figure compares with tanh only: one four-layer convolutional network, CIFAR-10, "
        "until 25% training error, rates chosen for each. The course notes that the document "
        "follows widened it to sigmoid and tanh, as an example.",
        "ReLU는 sigmoid/tanh보다 6배 빠르게 수렴한다.",
        "인용된 그림은 tanh 하나와만 비교한다. 네 층 합성곱 신경망, CIFAR-10, 훈련 오차 25%라는 "
        "한 가지 설정의 결과이다.",
        "Krizhevsky, Sutskever, Hinton 2012, NIPS 25, figure 1 (second-hand)",
        "relu-six-times-faster",
    ),
    Erratum(
        "D2",
        "3",
        "With a large learning rate about half of the units die; it starts the moment a weighted "
        "sum becomes negative.",
        "The notes it follows say as much as 40%, as an example and an upper range; and a unit is "
        "dead when it is negative on the whole training set, not at the first negative sum.",
        "학습률이 크면 뉴런의 절반 정도가 죽고, 가중치 합이 음수가 되는 순간부터 그렇다.",
        "원전에는 많게는 40%까지라는 예로 나온다. 한 번의 음수가 아니라 모든 훈련 샘플에서 "
        "음수일 때 죽은 것이다.",
        "Karpathy, CS231n notes, neural networks 1 (read)",
        "high-learning-rate-kills-half",
    ),
    Erratum(
        "D2",
        "3",
        "Functions that do not converge (the title of the section on dead units and leaky ReLU).",
        "Functions that do not saturate. Leaky ReLU and PReLU do not; ReLU and ELU do, on the "
        "left. The same word stands for convergence of training elsewhere in the text.",
        "절의 제목이 수렴하지 않는 활성화 함수이다.",
        "포화하지 않는(non-saturating) 활성화 함수가 옳다. 그나마 ReLU와 ELU는 왼쪽에서 포화한다.",
        "Xu, Wang, Chen, Li 2015, arXiv:1505.00853 speaks of non-saturated functions (second-hand)",
    ),
    Erratum(
        "D2",
        "3.2",
        "ELU was proposed in 2105 by B. Xu et al.",
        "In 2015 (ICLR 2016), by Clevert, Unterthiner and Hochreiter. Xu et al. 2015 is the "
        "comparison that introduced RReLU.",
        "ELU는 2105년에 B. Xu 등이 제안했다.",
        "2015년(ICLR 2016)에 Clevert, Unterthiner, Hochreiter가 제안했다. Xu 등(2015)은 RReLU를 "
        "소개한 비교 연구이다.",
        "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, title page and abstract (read)",
        "elu-definition",
    ),
    Erratum(
        "D2",
        "3.2",
        "α is the value to which ELU converges for negative inputs.",
        "−α is, and only far on the left.",
        "α는 음수일 때 ELU가 수렴할 값이다.",
        "수렴하는 값은 −α이며 x → −∞에서 그렇다.",
        CHECKED,
        "elu-definition",
    ),
    Erratum(
        "D2",
        "3.2",
        "ELU's gradient is not 0 for negative inputs, so it makes no dead neurons.",
        "It is αeˣ, which is as small as one likes: at −20 it is 2·10⁻⁹ of α, and in float32 it is "
        "exactly 0 beyond about −104. Saturated units stand still for all practical purposes.",
        "ELU는 음수에서도 그래디언트가 0이 아니므로 죽은 뉴런을 만들지 않는다.",
        "기울기 αeˣ는 얼마든지 작아진다. −20에서는 α의 2·10⁻⁹배이고, float32에서는 약 −104보다 "
        "작으면 정확히 0이다. 포화한 뉴런은 사실상 멈춘다.",
        "derivative αeˣ, checked here; relu-exp claim elu-prevents-dying",
        "elu-prevents-dying",
    ),
    Erratum(
        "D2",
        "TLDR",
        "The order of choice is ELU, leaky ReLU, ReLU, tanh, sigmoid; the course it cites starts "
        "with ReLU, and so does the document's own summary (5).",
        "Two orders that exclude each other stand in one document. No order holds everywhere: it "
        "depends on depth, start and data.",
        "ELU → LeakyReLU → ReLU → tanh → sigmoid 순이라 하고, 바로 뒤와 마무리에서는 ReLU가 "
        "먼저라고 한다.",
        "서로 어긋나는 두 순서가 한 문서에 있다. 어디서나 성립하는 순서는 없으며 깊이, 초기값, "
        "데이터에 따라 달라진다.",
        "D2 itself, TLDR against 5; relu-exp claim activation-ranking",
        "activation-ranking",
    ),
    Erratum(
        "D2",
        "4.2",
        "When every layer but the first outputs 0, all neurons have the same gradient.",
        "The gradients are all near 0, not equal: random weights, however small, differ from unit "
        "to unit. Symmetry (4.1) and vanishing are two failures.",
        "첫 층을 제외한 모든 층이 0을 출력하면 모든 뉴런의 그래디언트가 같아진다.",
        "모두 0에 가까울 뿐 같지는 않다. 작더라도 가중치는 뉴런마다 다르다. 대칭(4.1)과 소실은 "
        "서로 다른 실패이다.",
        "measured here: relu-exp claim small-normal-gradients-identical",
        "small-normal-gradients-identical",
    ),
    Erratum(
        "D2",
        "4.2",
        "With large absolute weights ReLU dies where they are negative and gradients explode where "
        "they are positive.",
        "What counts is the sign of the weighted sum, not that of a weight. Multiplying all "
        "weights by a factor changes no sign of a sum without biases, and so no ReLU's slope at "
        "the start; it makes outputs and gradients large, and the first updates may kill.",
        "가중치의 절댓값이 클 때 음수이면 dead ReLU, 양수이면 그래디언트 폭주가 일어난다.",
        "가중치 하나의 부호가 아니라 가중합의 부호가 문제다. 편향이 0이면 가중치를 몇 배로 해도 "
        "부호와 초기 기울기는 그대로이고, 출력과 그래디언트만 커진다.",
        "max(0, cx) = c·max(0, x) for c > 0; relu-exp claim large-weights-kill-or-explode-relu",
        "large-weights-kill-or-explode-relu",
    ),
    Erratum(
        "D2",
        "4.2",
        "Small random numbers do not suit deep networks (concluded from std 0.01 and from std 1).",
        "One fixed standard deviation for all widths does not. At a width of 10,000 a standard "
        "deviation of 0.01 is exactly 1/√fan_in, which is what 4.3 recommends; and 1 is not small.",
        "표준편차 0.01과 1의 결과에서 작은 난수가 심층 신경망에 맞지 않다고 결론짓는다.",
        "너비와 무관하게 고정한 표준편차가 문제다. 너비 10,000에서는 0.01이 바로 1/√fan_in이며, "
        "1은 작은 난수가 아니다.",
        "variance of a sum of fan_in products; Glorot, Bengio 2010, AISTATS (second-hand)",
        "small-init-fails-deep",
    ),
    Erratum(
        "D2",
        "4.3.1",
        "The sigmoid family (sigmoid, tanh) is symmetric with a linear middle, as Xavier assumes.",
        "Xavier assumes slope 1 and value 0 at 0. tanh has both; the sigmoid has slope 1/4 and "
        "value 1/2 there, so Xavier's weights shrink its signal about fourfold per layer.",
        "시그모이드 계열은 좌우 대칭이고 가운데가 선형이어서 Xavier의 가정에 맞는다.",
        "Xavier는 0에서 기울기 1, 값 0을 가정한다. tanh는 맞지만 시그모이드는 기울기 1/4, 값 "
        "1/2이라 층마다 신호가 약 4배씩 줄어든다.",
        "σ′(0) = 1/4, checked here; Glorot, Bengio 2010, AISTATS (second-hand)",
        "xavier-suits-sigmoid",
    ),
    Erratum(
        "D2",
        "4.3.1",
        "TensorFlow offers Xavier as tf.contrib.xavier_initializer.",
        "It was tf.contrib.layers.xavier_initializer; tf.contrib was removed in TensorFlow 2, "
        "where it is tf.keras.initializers.GlorotNormal and GlorotUniform.",
        "텐서플로는 tf.contrib.xavier_initializer를 제공한다.",
        "tf.contrib.layers.xavier_initializer였고, 텐서플로 2에서는 "
        "tf.keras.initializers.GlorotNormal과 GlorotUniform이다.",
        "TensorFlow API documentation (second-hand)",
    ),
    Erratum(
        "D2",
        "4.3.2",
        "He is √2 times Xavier.",
        "Where both take the same fan, or fan-in equals fan-out. He goes by one fan and Xavier by "
        "the average of two: from 784 to 100 units the factor is 1.06, from 100 to 784 it is 2.97.",
        "He 초기값은 Xavier 초기값의 √2배이다.",
        "같은 fan을 쓰거나 입력과 출력 수가 같을 때만 그렇다. He는 한쪽 fan, Xavier는 평균을 "
        "쓰므로 784→100에서는 1.06배, 100→784에서는 2.97배이다.",
        "computed here; He, Zhang, Ren, Sun 2015, arXiv:1502.01852, eq. 10 (second-hand)",
        "initializer-formulas",
    ),
    Erratum(
        "D2",
        "4.3.2",
        "The reason is to spread outputs wider, because ReLU outputs 0 for negative inputs.",
        "The reason is a factor: ReLU halves the second moment of a symmetric input, and doubling "
        "the weights' variance restores it layer after layer.",
        "ReLU는 음수에서 0을 출력하므로 더 넓게 퍼뜨리기 위해서이다.",
        "ReLU가 대칭인 입력의 제곱 평균을 절반으로 줄이므로, 가중치 분산을 두 배로 하여 층마다 "
        "그것을 되돌리는 것이다.",
        "He, Zhang, Ren, Sun 2015, arXiv:1502.01852, section 2.2 (second-hand)",
        "he-preserves-relu",
    ),
    # D3
    Erratum(
        "D3",
        "활성화 함수(Function)",
        "With linear layers, depth has no use and has the same effect as a single layer.",
        "They compute the same functions. But they do not train alike: one update moves a stack's "
        "product differently from a single layer, and a narrow layer in between limits its rank.",
        "선형 함수를 쓰면 아무리 깊어도 한 층과 같은 효과가 난다.",
        "표현할 수 있는 함수는 같지만 학습은 다르다. 한 번의 갱신에도 곱이 다르게 움직이며, 중간의 "
        "좁은 층은 계수(rank)를 제한한다.",
        "computed here; Saxe, McClelland, Ganguli 2014, arXiv:1312.6120 (second-hand)",
        "linear-layers-collapse",
    ),
    Erratum(
        "D3",
        "계단 함수",
        "The step function is not used because its abrupt outputs lose data.",
        "Its derivative is 0 wherever it exists: gradient descent never moves a weight behind it. "
        "Information lost in the output is not the obstacle.",
        "출력이 급격하게 변해 데이터 손실이 크기 때문에 쓰지 않는다.",
        "도함수가 어디서나 0이라 경사하강법이 그 앞의 가중치를 전혀 움직이지 못하기 때문이다.",
        CHECKED,
        "step-does-not-train",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Derivatives below 0 are multiplied again and again.",
        "Below 1. σ′ is never negative; factors from 0 to 1/4 are what makes the product vanish.",
        "0보다 작은 미분값을 계속 곱한다.",
        "1보다 작다고 해야 한다. σ′는 음수가 되지 않으며 0과 1/4 사이의 값이 곱해져 사라진다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Gradient descent updates a weight by multiplying it with its derivative, and so weights "
        "get smaller and smaller.",
        "It subtracts the learning rate times the derivative. Vanishing gradients make the changes "
        "small; the weights themselves stay where they are.",
        "가중치와 그 미분값을 곱하면서 갱신하므로 가중치값이 계속 작아진다.",
        "학습률과 미분값의 곱을 가중치에서 뺀다. 작아지는 것은 가중치가 아니라 그 변화량이다.",
        "Rumelhart, Hinton, Williams 1986, Nature 323 (second-hand)",
        "saturation-slows-training",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Because its values are continuous, the sigmoid makes the data more reliable.",
        "Finer values are not more reliable ones: the output of a hidden unit is no probability. "
        "What continuity brings is a derivative that is not 0.",
        "연속된 값으로 표현되어 데이터에 대한 신뢰도가 상승한다.",
        "값이 더 세밀한 것은 신뢰도와 다르다. 연속이고 미분 가능하여 0이 아닌 기울기를 얻는 것이 "
        "장점이다.",
        "Rumelhart, Hinton, Williams 1986, Nature 323 (second-hand)",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "ReLU outputs its input above 0, and 0 below 0; at 0 nothing is said.",
        "max(0, 0) = 0. The value at 0 is no matter of taste, only the slope there is.",
        "0보다 크면 그대로, 0보다 작으면 0이라 하여 0에서의 값이 빠져 있다.",
        "max(0, 0) = 0이다. 정해야 할 것은 값이 아니라 0에서의 기울기이다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "ReLU solves vanishing gradients because it outputs 0 for values below 0.",
        "Because its slope is 1 above 0. Below 0 it passes no gradient at all, as the document "
        "says a few lines on: there the gradient has vanished altogether.",
        "0보다 작은 값을 0으로 출력하기 때문에 그래디언트 소실을 해결한다.",
        "양수에서 기울기가 1이기 때문이다. 음수에서는 그래디언트가 아예 사라지며, 문서도 몇 줄 "
        "뒤에 그렇게 적는다.",
        "Glorot, Bordes, Bengio 2011, AISTATS (second-hand)",
        "gradients-vanish-with-depth",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "Outputs of 0 remove neurons, so the model gets lighter.",
        "A dense product multiplies zeros like any other number; nothing is removed and no "
        "parameter saved. Only code that skips zeros would gain.",
        "0을 출력하여 뉴런을 제거하므로 모델이 가벼워진다.",
        "밀집 행렬 곱은 0도 똑같이 곱한다. 매개변수도 연산도 줄지 않으며, 0을 건너뛰는 구현에서만 "
        "이득이 있다.",
        "timed here: relu-exp claim relu-zeros-lighten-network",
        "relu-zeros-lighten-network",
    ),
    Erratum(
        "D3",
        "Pytorch 코드 실습",
        "torch.randn(x) gives normalized random numbers of N(0, 1).",
        "Draws from the standard normal distribution; no set of them is normalized.",
        "torch.randn(x)는 정규화된 랜덤값을 출력한다.",
        "표준정규분포에서 뽑은 난수이며, 뽑힌 값들이 정규화되는 것은 아니다.",
        "torch.randn, PyTorch documentation (second-hand)",
    ),
    Erratum(
        "D3",
        "Pytorch 코드 실습",
        "The model declares seven convolutions; the comments give 8×8 after the sixth.",
        "conv7 is declared and never called: 910 parameters without a gradient. The sixth "
        "convolution itself gives 16×16; the 8×8 is after the pooling in the same line. "
        "Called there, conv7 would leave 6×6, and the first linear layer would not fit.",
        "합성곱을 일곱 개 선언하고, 여섯 번째 뒤의 주석은 8×8이다.",
        "conv7은 선언만 되고 호출되지 않아 910개의 매개변수가 쓰이지 않는다. 여섯 번째 합성곱의 "
        "출력은 16×16이고, 8×8은 같은 줄의 풀링을 거친 크기이다.",
        CHECKED,
        "cnn-shapes",
    ),
    # D4
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
"""In the order of the documents."""
