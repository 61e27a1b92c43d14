"""segmodel: segment-level interest models for short videos."""
