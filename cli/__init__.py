"""The commands ``segfeat`` and ``segmodel``: options in, one library call out. Installed as ``segfeat_cli``."""
