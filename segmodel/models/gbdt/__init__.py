"""Gradient-boosted hazards: the strong tabular reference."""
