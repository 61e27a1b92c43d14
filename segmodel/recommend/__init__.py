"""Recommendation by segments: SegRec of He et al. (SIGIR 2025), what it learns from, and how it is measured.

``effective`` (which views count as liked) · ``weights`` (how segments count) · ``segrec`` (a backbone over weighted
segments) · ``interest`` (weights that no view gave to itself) · ``direct`` (liked, read off a survival curve) ·
``measures`` · ``kept`` (a SegRec inside a run) · ``ranker`` (a user's list of videos).
"""

BACKBONES = ("widedeep", "adagin", "din", "can")
"""Recommenders that SegRec is put on, those of the paper's Table 4."""

DIRECT = "direct"
"""Ranking by survival curves alone, without a SegRec."""
