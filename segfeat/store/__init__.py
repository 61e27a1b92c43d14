"""The feature store: its reader, its writer and what both share; :mod:`segfeat.store.format` specifies the file."""
