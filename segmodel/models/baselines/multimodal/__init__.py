"""Recommenders that also take the content of the segments."""
