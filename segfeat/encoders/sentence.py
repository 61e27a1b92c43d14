"""Text models of sentence-transformers: ``sentence-transformers:NAME-or-path``, such as ``…:all-MiniLM-L6-v2``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from segfeat.encoders.device import arithmetic
from segfeat.encoders.preparers import WordsPreparer
from segfeat.encoders.registry import ParsedSpec
from segfeat.encoders.weights import fingerprint, loading, unavailable
from segfeat.types import EncoderSpec, Float32

BATCH_SIZE = {"cpu": 32, "cuda": 256}
"""Texts at once: where throughput no longer grows."""


class SentenceEncoder:
    """What the model's own ``encode`` gives for the text."""

    def __init__(self, parsed: ParsedSpec, device: torch.device) -> None:
        self.device = device
        self.model, source = _load(parsed, device)
        self.preparer = WordsPreparer()
        self.frame_size: int | None = None
        self.sample_rate: int | None = None
        self.batch_size = BATCH_SIZE[device.type]
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="text",
            dim=self._encode(["words"]).shape[1],
            model=f"sentence-transformers {source}",
            weights=f"{source} {fingerprint(self.model)}",
            pooling=f"encode of the segment's text, its first {self.model.max_seq_length} tokens",
        )

    def encode(self, items: Sequence[str]) -> Float32:
        """Vectors (n, D) of n texts."""
        return self._encode(list(items)) if items else np.zeros((0, self.spec.dim), np.float32)

    def _encode(self, texts: list[str]) -> Float32:
        with arithmetic(self.device):
            vectors = self.model.encode(texts, batch_size=self.batch_size, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def _load(parsed: ParsedSpec, device: torch.device) -> tuple[SentenceTransformer, str]:
    """The model in single precision, and its name or folder."""
    path = Path(parsed.model).expanduser()
    local = (path / "modules.json").is_file()
    if not local and (path.is_absolute() or path.is_dir() or parsed.model.startswith((".", "~"))):
        raise unavailable(parsed, f"{path} is no folder of a sentence-transformers model (it has no modules.json)")
    name, source = (str(path), path.resolve().name) if local else (parsed.model, parsed.model)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with loading(parsed, from_hub=not local):
            model = SentenceTransformer(name, device=str(device), trust_remote_code=False, local_files_only=local)
            # Some checkpoints are stored in half precision; a CPU computes slowly in it, and a GPU has its own way.
            return model.float().eval(), source
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
