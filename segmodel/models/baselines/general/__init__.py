"""Recommenders from the watch log alone: graphs and sequences of ids."""
