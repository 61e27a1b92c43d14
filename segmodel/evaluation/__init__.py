"""Metrics, tables and intervals; knows no model and no run."""
