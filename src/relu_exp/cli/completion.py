"""Shell completion: the words that are valid at the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = [
    "complete_claim",
    "complete_export",
    "complete_kind",
    "complete_run",
    "setting_keys",
    "starting",
]


def starting(words: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a function that completes the beginning of one of the words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def complete_run(incomplete: str) -> list[str]:
    """Complete the names of experiments, and keys that can be overridden."""
    from relu_exp.config import experiment_names

    return starting([*experiment_names(), *(f"{key}=" for key in setting_keys())])(incomplete)


def setting_keys() -> tuple[str, ...]:
    """Return the keys that can be overridden: groups and plain keys."""
    from relu_exp.config.groups import GROUPS
    from relu_exp.config.keys import PLAIN_KEYS, SCHEDULE_KEYS, THRESHOLD_KEYS

    return (*GROUPS, *PLAIN_KEYS, *SCHEDULE_KEYS, *THRESHOLD_KEYS)


def complete_export(incomplete: str) -> list[str]:
    """Complete the kinds of export."""
    from relu_exp.evidence.export import KINDS

    return starting([*KINDS])(incomplete)


def complete_kind(incomplete: str) -> list[str]:
    """Complete the kinds that `list` knows."""
    from relu_exp.session.listing import KINDS

    return starting(KINDS)(incomplete)


def complete_claim(incomplete: str) -> list[str]:
    """Complete the names of claims."""
    from relu_exp.evidence.claims.registry import all_claims

    return starting([claim.id for claim in all_claims()])(incomplete)
