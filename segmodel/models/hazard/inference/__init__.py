"""Scoring with the fitted networks: stacked, cached, for one user and many videos."""
