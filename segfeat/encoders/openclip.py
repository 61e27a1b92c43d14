"""Vision models of open_clip: ``open_clip:MODEL[@TAG-or-path]``, and ``open_clip-patches:`` for their patch tokens.

MODEL is a name from ``open_clip.list_models()``, or open_clip's own ``local-dir:/path`` or ``hf-hub:owner/name``, which
bring their weights along. TAG is one of the model's pretrained tags; a path is a checkpoint (.safetensors, or .pt with
tensors only). A model with one tag alone needs none.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch

from segfeat.encoders.device import arithmetic, upload
from segfeat.encoders.preparers import PicturePreparer
from segfeat.encoders.registry import ParsedSpec
from segfeat.encoders.weights import check_checkpoint, fingerprint, loading, unavailable
from segfeat.types import EncoderSpec, Float32, UInt8

BATCH_SIZE = {"cpu": 32, "cuda": 256}
"""Pictures at once: where throughput no longer grows."""

_TEXT_PARTS = ("text", "text_decoder", "transformer", "token_embedding")
"""Submodules of open_clip's models that pictures never pass through."""


class OpenClip:
    """Mean over the segment's frames of the unnormalised ``encode_image``."""

    pooling = "mean over frames of the unnormalised encode_image"

    def __init__(self, parsed: ParsedSpec, device: torch.device) -> None:
        self.device = device
        self.model, source = _load(parsed)
        self.model.to(device)
        config = open_clip.get_model_preprocess_cfg(self.model)
        height, width = config["size"] if isinstance(config["size"], Sequence) else (config["size"], config["size"])
        resampling = "bilinear" if config["interpolation"] == "bilinear" else "bicubic"  # as open_clip reads "random"
        self.preparer = PicturePreparer(height, width, resampling, config["resize_mode"], config["fill_color"])
        self.frame_size: int | None = max(height, width)
        self.sample_rate: int | None = None
        self.batch_size = BATCH_SIZE[device.type]
        self._mean, self._std = (torch.tensor(config[k], device=device).view(3, 1, 1) for k in ("mean", "std"))
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="visual",
            dim=self._encode_pictures([np.zeros((height, width, 3), np.uint8)]).shape[1],
            model=f"open_clip {parsed.model}",
            weights=f"{source} {fingerprint(self.model)}",
            pooling=self.pooling,
        )

    def encode(self, items: Sequence[UInt8]) -> Float32:
        """Vectors (n, D) of n items (F, height, width, 3); F >= 1 may differ between them."""
        counts = [len(item) for item in items]
        if not counts:
            return np.zeros((0, self.spec.dim), np.float32)
        vectors = self._encode_pictures([picture for item in items for picture in item])
        starts = np.cumsum([0, *counts[:-1]])
        return (np.add.reduceat(vectors, starts, axis=0) / np.array(counts)[:, None]).astype(np.float32)

    @torch.inference_mode()
    def _encode_pictures(self, pictures: list[UInt8]) -> Float32:
        done = []
        for first in range(0, len(pictures), self.batch_size):
            batch = upload(np.stack(pictures[first : first + self.batch_size]), self.device)
            scaled = batch.permute(0, 3, 1, 2).float().div_(255).sub_(self._mean).div_(self._std)
            with arithmetic(self.device):
                done.append(self._forward(scaled).float())
        return torch.cat(done).cpu().numpy()

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.model.encode_image(batch)


class OpenClipPatches(OpenClip):
    """Mean over frames and patches of the last hidden layer: before the final LayerNorm and the projection."""

    pooling = "mean over frames and patches (no class token) of the last hidden layer, before norm and projection"

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        # As a map (n, D, rows, columns): convolutional models know no other form.
        layers = self.model.visual.forward_intermediates(
            batch, indices=1, normalize_intermediates=False, intermediates_only=True, output_fmt="NCHW"
        )
        return layers["image_intermediates"][-1].float().mean(dim=(2, 3))


def _load(parsed: ParsedSpec) -> tuple[Any, str]:
    """The model, in evaluation mode and without its text half, and where its weights came from, in words."""
    options: dict[str, Any] = {}
    from_hub = parsed.model.startswith("hf-hub:")
    if from_hub or parsed.model.startswith("local-dir:"):
        source = Path(parsed.model.partition(":")[2]).name
    else:
        source, options = _source(parsed)
        from_hub = options["pretrained"] == source
    with loading(parsed, from_hub):
        model = open_clip.create_model(parsed.model, precision="fp32", require_pretrained=True, **options)
    for part in _TEXT_PARTS:
        if hasattr(model, part):
            delattr(model, part)
    return model.eval(), source


def _source(parsed: ParsedSpec) -> tuple[str, dict[str, Any]]:
    """Where the weights come from, in words, and as arguments of ``create_model``."""
    if parsed.model not in open_clip.list_models():
        near = difflib.get_close_matches(parsed.model, open_clip.list_models(), n=8, cutoff=0.3)
        raise ValueError(
            f"{parsed.text}: open_clip has no model {parsed.model!r}; near are {', '.join(near) or 'none'} "
            f"(open_clip.list_models() names all {len(open_clip.list_models())})"
        )
    tags = open_clip.list_pretrained_tags_by_model(parsed.model)
    tag = parsed.weights or (tags[0] if len(tags) == 1 else "")
    known = f"tags of {parsed.model}: {', '.join(tags) or 'none'}"
    if not tag:
        raise ValueError(f"{parsed.text}: say which weights, as @TAG or @path; {known}")
    if open_clip.get_pretrained_cfg(parsed.model, tag):
        # OpenAI's and a few other weights were trained with another activation than the architecture of that name has;
        # open_clip only warns about it.
        quick = open_clip.get_pretrained_cfg(parsed.model, tag).get("quick_gelu", False)
        return tag, {"pretrained": tag, "force_quick_gelu": quick}
    path = Path(tag).expanduser()
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        raise ValueError(f"{parsed.text}: {tag!r} is neither a tag nor a file; {known}")
    try:
        check_checkpoint(path)
    except ValueError as error:
        raise unavailable(parsed, str(error)) from error
    return path.name, {"pretrained": str(path)}
