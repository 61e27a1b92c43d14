"""Benchmarks: every system on the same views with the same budget, as in the tables of He et al. (SIGIR 2025)."""
