"""The segment-interest model of He et al. (SIGIR 2025, doi 10.1145/3726302.3730083), in its three modules.

``representation`` -> ``encoder`` -> ``decoder``, trained by the intra-video loss; ``model`` puts them together.
"""
