"""Turning public data formats into Interactions and stores."""
