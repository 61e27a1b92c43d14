"""Views of a log, with their histories, splits and batches."""
