"""Predictions over HTTP, for users whose views keep coming in."""
