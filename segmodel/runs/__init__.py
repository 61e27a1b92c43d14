"""Runs: what a training writes, what it knew, and everything that is done with a finished one."""
