"""Mentions: which sentences of any text make a claim, or a mistake of the errata.

The rules are data: `names.yaml` has the names of functions, shorthands and denials, `A.yaml` to
`F.yaml` the rules of each claim by group, `errata.yaml` those of errata, `sentences.yaml` how a
text is split. Every pattern is a plain regular expression that Python and JavaScript read alike,
for the page has the same rules (`embedding`).
"""

from __future__ import annotations

from relu_exp.evidence.claims.mentions.embedding import rules_as_data
from relu_exp.evidence.claims.mentions.matching import claims_of, errata_of
from relu_exp.evidence.claims.mentions.sentences import Sentence, sentences_of

__all__ = ["Sentence", "claims_of", "errata_of", "rules_as_data", "sentences_of"]
