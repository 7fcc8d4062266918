"""Errata: what the documents get wrong as written, each with the right statement and its source."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.d0 import D0
from relu_exp.evidence.claims.errata.d1 import D1
from relu_exp.evidence.claims.errata.d2 import D2
from relu_exp.evidence.claims.errata.d3 import D3
from relu_exp.evidence.claims.errata.d4 import D4
from relu_exp.evidence.claims.errata.erratum import Erratum

__all__ = ["ERRATA", "Erratum"]

ERRATA: tuple[Erratum, ...] = (*D0, *D1, *D2, *D3, *D4)
