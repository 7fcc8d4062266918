"""Text check: what the page's script needs to mark the sentences of a reader's own text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relu_exp.evidence.check import always_corrected
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.mentions import rules_as_data
from relu_exp.evidence.claims.registry import find_claim
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.report.judged_claims import JudgedClaim
from relu_exp.evidence.report.looks import LOOKS

__all__ = ["check_data"]


def check_data(judged: Iterable[JudgedClaim]) -> dict[str, Any]:
    """Return the rules, and what a mark says: statements, verdicts, answers and corrections.

    Texts are pairs of English and Korean. A claim that has rules and was not judged has neither
    verdict nor answer.
    """
    rules = rules_as_data()
    here = {one.claim.id: one for one in judged}
    return {
        "rules": rules,
        "claims": {id: _claim(id, here.get(id)) for id, _ in rules["claims"]},
        "errata": [
            {
                "claim": erratum.claim,
                "right": erratum.right,
                "source": (erratum.source, source_ko(erratum.source)),
            }
            for erratum in ERRATA
        ],
        "signs": {name: look.mark for name, look in LOOKS.items()},
    }


def _claim(id: str, judged: JudgedClaim | None) -> dict[str, Any]:
    claim = find_claim(id)
    return {
        "statement": (claim.statement, claim.statement_ko),
        "verdict": judged.verdict.name if judged else None,
        "answer": judged.answer if judged else None,
        "corrected": [ERRATA.index(each) for each in always_corrected(id)],
    }
