"""Run keys: the numbers and words that a run is configured by, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_type_hints

__all__ = [
    "DEFAULT_PRECISION",
    "PRECISIONS",
    "RUN_KEYS",
    "SCHEDULES",
    "RunKey",
    "RunKeys",
    "Topic",
    "keys_about",
]

PRECISIONS = ("float32", "tf32", "bfloat16")
"""What the operands of matrix products and convolutions are rounded to."""
DEFAULT_PRECISION = "float32"
"""What every run before there was a choice had, and the only one that verdicts rest on."""

SCHEDULES = ("constant", "step", "cosine", "warm_up", "warm_up_cosine")
"""How the learning rate changes during training (`engine.rates`)."""

Topic = Literal["network", "training", "computing", "measuring", "seed"]


@dataclass(frozen=True)
class RunKey:
    """What is known of a run key; the type of `default` is the key's.

    Parsing, columns, checks of what is read, figures, reports and comparisons go by this.

    Attributes:
        default: the value where nothing else is configured; of steps, a schedule in words.
        help: what the value is.
        label: the name in print.
        label_ko: the same in Korean.
        about: what it changes. Networks that differ in `training` alone are equal before it.
        written: the name on the command line and in files, where it is not the field's.
        phrase: what the page's explorer writes before a value, where it is not the label.
        also_called: names that people try.
        is_optional: None is valid: a network of fixed architecture has no width.
        is_schedule: the value is a tuple of steps, configured as a schedule.
        counts_samples: the value is a number of training samples, at most all of them.
        may_differ: runs of one fleet may have different values.
        shows_default: the default is printed as other values are.
        came_later: results were written before there was this key. Their runs had its default:
            that one is not hashed into `run_id`, and their files lack the column.
    """

    default: int | float | str
    help: str
    label: str
    label_ko: str
    about: Topic
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] | None = None
    name: str = ""
    written: str = ""
    phrase: str = ""
    also_called: tuple[str, ...] = ()
    is_optional: bool = False
    is_schedule: bool = False
    counts_samples: bool = False
    may_differ: bool = False
    shows_default: bool = True
    came_later: bool = False

    @property
    def column(self) -> str:
        """The type of the key's column in Parquet; steps are JSON."""
        if isinstance(self.default, int):
            return "int32" if self.at_most is not None and self.at_most < 2**31 else "int64"
        return "float64" if isinstance(self.default, float) else "string"

    @property
    def is_number(self) -> bool:
        """Whether the value is a number."""
        return not isinstance(self.default, str)

    def has_type(self, value: object) -> bool:
        """Return whether a value of a column is of the key's own type; True is no number."""
        return type(value) is type(self.default) or (self.is_optional and value is None)

    def is_hidden(self, values: set[Any]) -> bool:
        """Return whether values need not be printed: all are the default, which goes without."""
        return not self.shows_default and values == {self.default}


@dataclass(frozen=True, kw_only=True)
class RunKeys:
    """Every run key, in the order of the columns; what is known of them is in `RUN_KEYS`.

    A key that comes after results were written has a default here: their runs have it.
    """

    depth: Annotated[
        int,
        RunKey(
            5,
            "hidden layers",
            "depth",
            "깊이",
            "network",
            at_least=0,
            at_most=10_000,
            also_called=("layers", "num_layers"),
        ),
    ]
    width: Annotated[
        int | None,
        RunKey(
            100,
            "units of each hidden layer",
            "width",
            "너비",
            "network",
            at_least=1,
            at_most=100_000,
            also_called=("hidden_size", "units"),
            is_optional=True,
        ),
    ]
    learning_rate: Annotated[
        float,
        RunKey(
            0.1,
            "of the optimizer",
            "learning rate",
            "학습률",
            "training",
            above=0,
            also_called=("lr",),
            may_differ=True,
        ),
    ]
    batch_size: Annotated[
        int,
        RunKey(
            128,
            "samples of a minibatch",
            "batch size",
            "배치 크기",
            "training",
            at_least=1,
            at_most=10_000_000,
            phrase="batches of ",
            also_called=("batch", "bs", "minibatch"),
            counts_samples=True,
        ),
    ]
    num_steps: Annotated[
        int,
        RunKey(
            200,
            "updates of the weights",
            "updates",
            "업데이트 횟수",
            "training",
            at_least=0,
            at_most=100_000_000,
            phrase="updates: ",
            also_called=("epochs", "steps"),
        ),
    ]
    seed: Annotated[
        int,
        RunKey(
            0,
            "of every random number of a run",
            "seed",
            "시드",
            "seed",
            at_least=0,
            at_most=2**63 - 1,
            also_called=("num_seeds",),
            may_differ=True,
        ),
    ]
    precision: Annotated[
        str,
        RunKey(
            DEFAULT_PRECISION,
            "of the operands of matrix products",
            "precision",
            "정밀도",
            "computing",
            choices=PRECISIONS,
            also_called=("dtype",),
            shows_default=False,
        ),
    ] = DEFAULT_PRECISION
    gradient_clip: Annotated[
        float,
        RunKey(
            0.0,
            "largest norm of a run's gradient, over all its parameters; 0: any",
            "gradient clip",
            "기울기 클리핑",
            "training",
            at_least=0,
            also_called=("clip", "grad_clip", "clip_grad_norm", "max_grad_norm"),
            shows_default=False,
        ),
    ] = 0.0
    schedule: Annotated[
        str,
        RunKey(
            "constant",
            "how the learning rate changes during training",
            "schedule of the learning rate",
            "학습률 스케줄",
            "training",
            choices=SCHEDULES,
            also_called=("scheduler", "lr_schedule", "lr_scheduler", "learning_rate_schedule"),
            shows_default=False,
        ),
    ] = "constant"
    probe_samples: Annotated[
        int,
        RunKey(
            64,
            "training samples that layers are measured on",
            "probe samples",
            "측정 샘플 수",
            "measuring",
            at_least=1,
            at_most=10_000_000,
            written="probes.num_samples",
            phrase="probe of ",
            counts_samples=True,
        ),
    ]
    probe_steps: Annotated[
        tuple[int, ...],
        RunKey(
            "powers_of_two",
            "steps at which layers are measured",
            "probe steps",
            "측정 단계",
            "measuring",
            written="probes.steps",
            is_schedule=True,
        ),
    ]
    evaluation_steps: Annotated[
        tuple[int, ...],
        RunKey(
            "last",
            "steps at which whole data sets are evaluated, the last always among them",
            "evaluation steps",
            "평가 단계",
            "measuring",
            written="evaluations.steps",
            is_schedule=True,
        ),
    ]


def _declared() -> dict[str, RunKey]:
    found = {}
    for name, hint in get_type_hints(RunKeys, include_extras=True).items():
        (key,) = hint.__metadata__
        found[name] = replace(
            key,
            name=name,
            written=key.written or name,
            phrase=key.phrase or f"{key.label} ",
            came_later=hasattr(RunKeys, name),
        )
    return found


RUN_KEYS: Mapping[str, RunKey] = _declared()
"""What is known of every run key, by its name."""


def keys_about(*topics: Topic) -> tuple[str, ...]:
    """Return the names of the run keys of some topics, topic by topic."""
    return tuple(name for topic in topics for name, key in RUN_KEYS.items() if key.about == topic)
