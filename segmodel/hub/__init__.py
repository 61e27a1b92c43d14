"""Sharing: a run or a store with a generated card, to a Hugging Face repository or to a folder, and back.

``places`` is where things go, ``run_card`` and ``store_card`` say what they are, ``transfer`` carries them.
"""
