"""Questions that students ask, each with where the page answers it: numbers, claims, explorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["QUESTIONS", "Question", "View"]

FIELDS = ("experiment", "activation", "initializer", "depth", "learning_rate", "variant", "step")
"""What the explorer keeps of a side, in the order of its addresses."""


@dataclass(frozen=True)
class View:
    """One side of the explorer, by the words that stand in it."""

    experiment: str
    activation: str
    initializer: str
    depth: int
    learning_rate: float = 0.1
    variant: str = ""
    step: int = 0

    @property
    def address(self) -> str:
        """The side as an address of the page names it."""
        return "~".join(f"{getattr(self, name)}" for name in FIELDS)


@dataclass(frozen=True)
class Question:
    """A question in both languages, and what answers it.

    `measure` is one of `answers.MEASURES`; its numbers come from the runs of `experiment` that
    have what `keep` says, in a table of `rows` by `columns`. `views` are the explorer's sides.
    """

    english: str
    korean: str
    claims: tuple[str, ...]
    measure: str
    experiment: str
    rows: str
    columns: str
    keep: Mapping[str, object] = field(default_factory=dict)
    views: tuple[View, ...] = ()


QUESTIONS: tuple[Question, ...] = (
    Question(
        "At depth 20, does Xavier or He keep ReLU alive?",
        "깊이 20에서 ReLU를 살려 두는 것은 Xavier인가 He인가?",
        ("xavier-starves-relu", "he-preserves-relu"),
        "signal",
        "signals",
        "initializer_label",
        "depth",
        {"activation": "relu"},
        (View("signals", "ReLU", "Xavier", 20), View("signals", "ReLU", "He", 20)),
    ),
    Question(
        "Which learning rate kills half of the units?",
        "학습률이 얼마면 유닛의 절반이 죽는가?",
        ("high-learning-rate-kills-half", "dying-grows-with-depth"),
        "dead",
        "dying-relu",
        "learning_rate",
        "depth",
        {"activation": "relu"},
        (
            View("dying-relu", "ReLU", "He", 5, 0.1, step=200),
            View("dying-relu", "ReLU", "He", 5, 0.4, step=200),
        ),
    ),
    Question(
        "How fast does sigmoid's gradient vanish?",
        "시그모이드의 기울기는 얼마나 빨리 사라지는가?",
        ("gradients-vanish-with-depth",),
        "gradient",
        "vanishing-gradients",
        "activation_label",
        "depth",
        {},
        (
            View("vanishing-gradients", "sigmoid", "Xavier", 20),
            View("vanishing-gradients", "ReLU", "He", 20),
        ),
    ),
    Question(
        "Do leaky ReLU or ELU keep units from dying?",
        "Leaky ReLU나 ELU를 쓰면 유닛이 죽지 않는가?",
        ("leaky-relu-prevents-dying", "elu-prevents-dying", "leaky-beats-relu-almost-always"),
        "dead",
        "dying-relu",
        "activation_label",
        "learning_rate",
        {},
        (
            View("dying-relu", "ReLU", "He", 5, 0.4, step=200),
            View("dying-relu", "leaky ReLU", "He", 5, 0.4, step=200),
        ),
    ),
    Question(
        "Why did my tanh network saturate?",
        "tanh 신경망은 왜 포화되었는가?",
        ("unit-normal-saturates-tanh", "xavier-spreads-tanh", "saturation-slows-training"),
        "saturated",
        "signals",
        "initializer_label",
        "depth",
        {"activation": "tanh"},
        (View("signals", "tanh", "N(0, 1)", 10), View("signals", "tanh", "Xavier", 10)),
    ),
    Question(
        "What happens when the initial weights are too small?",
        "초기 가중치가 너무 작으면 어떻게 되는가?",
        ("small-init-fails-deep", "small-normal-collapses-tanh"),
        "accuracy",
        "small-init-depth",
        "initializer_label",
        "depth",
        {"activation": "tanh"},
        (
            View("small-init-depth", "tanh", "N(0, 0.01²)", 10, 0.1),
            View("small-init-depth", "tanh", "Xavier", 10, 0.1),
        ),
    ),
    Question(
        "How should a ReLU network start: Xavier or He?",
        "ReLU 신경망은 Xavier와 He 중 무엇으로 초기화해야 하는가?",
        ("he-beats-xavier-for-relu",),
        "accuracy",
        "small-init-depth",
        "initializer_label",
        "depth",
        {"activation": "relu"},
        (
            View("small-init-depth", "ReLU", "Xavier", 20, 0.1, step=300),
            View("small-init-depth", "ReLU", "He", 20, 0.1, step=300),
        ),
    ),
    Question(
        "How deep does a network still learn, and do skip connections help?",
        "신경망은 얼마나 깊어도 학습되며, 스킵 연결은 도움이 되는가?",
        ("relu-trains-deeper", "relu-fails-at-dozens-of-layers", "skip-connections-restore-depth"),
        "accuracy",
        "depth-limit",
        "arm",
        "depth",
        {},
        (
            View("depth-limit", "ReLU", "He", 41, 0.01, "plain MLP", 300),
            View("depth-limit", "ReLU", "He", 41, 0.01, "residual MLP (branch_scale=depth)", 300),
        ),
    ),
    Question(
        "Which activation learns in the fewest updates?",
        "어떤 활성화 함수가 가장 적은 업데이트로 학습하는가?",
        (
            "relu-converges-faster-than-sigmoid",
            "relu-converges-faster-than-tanh",
            "activation-ranking",
        ),
        "updates",
        "convergence-speed",
        "activation_label",
        "depth",
    ),
    Question(
        "Does a dead unit ever come back?",
        "죽은 유닛은 되살아나는가?",
        ("dead-units-never-recover", "one-negative-input-kills"),
        "revived",
        "revivals",
        "optimizer",
        "place",
        {},
        (
            View("revivals", "ReLU", "He", 4, 0.4, "SGD (momentum=0, weight_decay=0)", 200),
            View("revivals", "ReLU", "He", 4, 0.04, "Adam", 200),
        ),
    ),
)
