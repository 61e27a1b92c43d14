"""Clips to encode, and small random checkpoints on disk for the real loading code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import torchaudio

from segfeat.types import Clip

TINY_VIT = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}
TINY_RESNET = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": TINY_VIT["text_cfg"],
}


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Clip]:
    """A function that makes a clip of 5 s: ``make_clip(frames=…, waveform=…, text=…)``."""

    def make(frames: object = (), waveform: object = (), text: str = "", sample_rate: int = 16_000) -> Clip:
        pictures = np.asarray(frames, np.uint8) if len(frames) else np.zeros((0, 4, 4, 3), np.uint8)
        sound = np.asarray(waveform, np.float32)
        return Clip(0.0, 5.0, pictures, np.zeros(len(pictures)), sound, sample_rate, text)

    return make


@pytest.fixture
def pictures(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """A function that makes smooth random pictures (n, height, width, 3)."""

    def make(n: int, height: int = 40, width: int = 56) -> np.ndarray:
        coarse = rng.integers(0, 256, (n, 5, 7, 3)).astype(np.float32)
        fine = torch.nn.functional.interpolate(
            torch.tensor(coarse).permute(0, 3, 1, 2), (height, width), mode="bilinear"
        )
        return fine.permute(0, 2, 3, 1).round().numpy().astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random checkpoints of the open_clip models "tiny-vit" and "tiny-resnet"."""
    folder = tmp_path_factory.mktemp("open_clip")
    for name, config in (("tiny-vit", TINY_VIT), ("tiny-resnet", TINY_RESNET)):
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
        torch.manual_seed(5)
        torch.save(open_clip.create_model(name).state_dict(), folder / f"{name}.pt")
    return folder


@pytest.fixture
def tiny_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that adds a small torchaudio bundle "TINY" like another one, and saves random weights for it."""

    def make(like: str = "WAV2VEC2_BASE", seed: int = 3) -> Path:
        bundle = getattr(torchaudio.pipelines, like)
        small = {
            "encoder_embed_dim": 32,
            "encoder_num_layers": 2,
            "encoder_num_heads": 4,
            "encoder_ff_interm_features": 48,
        }
        convolutions = [(16, kernel, stride) for _, kernel, stride in bundle._params["extractor_conv_layer_config"]]
        params = {**bundle._params, **small, "extractor_conv_layer_config": convolutions}
        tiny = dataclasses.replace(bundle, _params=params)
        monkeypatch.setattr(torchaudio.pipelines, "TINY", tiny, raising=False)
        monkeypatch.setattr(torchaudio.pipelines, "__all__", [*torchaudio.pipelines.__all__, "TINY"])
        torch.manual_seed(seed)
        factory = torchaudio.models.wavlm_model if bundle._model_type == "WavLM" else torchaudio.models.wav2vec2_model
        path = tmp_path / f"tiny-{like}-{seed}.pth"
        torch.save(factory(**params).state_dict(), path)
        return path

    return make
