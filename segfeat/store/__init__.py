"""The feature store: its reader, its writer and what both share; :mod:`segfeat.store.reader` specifies the format."""
