"""open_clip's models: our vectors are the library's own, whatever the batches."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from segfeat.encoders import EncoderUnavailable, load_encoder
from segfeat.types import Clip, EncoderSpec

Pictures = Callable[..., np.ndarray]
Clips = Callable[..., Clip]

KINDS = ("open_clip", "open_clip-patches")


def library_vectors(model: object, transform: object, frames: np.ndarray) -> np.ndarray:
    """What open_clip itself gives for pictures, one at a time."""
    with torch.no_grad():
        return np.stack([model.encode_image(transform(Image.fromarray(f))[None])[0].numpy() for f in frames])


@pytest.fixture
def checkpoint(tiny_models: Path) -> Path:
    return tiny_models / "tiny-vit.pt"


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-resnet"])
@pytest.mark.parametrize("shape", [(40, 56), (64, 36), (32, 32), (20, 25)])
def test_vectors_are_the_librarys_own(
    name: str, shape: tuple[int, int], tiny_models: Path, make_clip: Clips, pictures: Pictures
) -> None:
    path = tiny_models / f"{name}.pt"
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=str(path))
    model.eval()
    encoder = load_encoder(f"open_clip:{name}@{path}", "visual", "cpu")
    frames = pictures(3, *shape)
    ours = encoder.encode([encoder.preparer(make_clip(frames))])
    expected = library_vectors(model, transform, frames).mean(axis=0)
    assert ours.dtype == np.float32
    assert ours.shape == (1, 24) == (1, encoder.spec.dim)
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)
    assert np.abs(np.linalg.norm(ours) - 1) > 0.05  # not normalised


def test_the_published_architecture_of_the_default_gives_the_librarys_vectors(
    tmp_path: Path, make_clip: Clips, pictures: Pictures
) -> None:
    torch.manual_seed(1)
    model = open_clip.create_model("ViT-B-32").eval()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    encoder = load_encoder(f"open_clip:ViT-B-32@{tmp_path / 'weights.safetensors'}", "visual", "cpu")
    transform = open_clip.image_transform(224, is_train=False)
    frames = pictures(2, 398, 224)
    ours = encoder.encode([encoder.preparer(make_clip(frames[:1])), encoder.preparer(make_clip(frames[1:]))])
    np.testing.assert_allclose(ours, library_vectors(model, transform, frames), atol=1e-4)
    assert (encoder.frame_size, encoder.spec.dim, encoder.sample_rate) == (224, 512, None)


def test_neighbours_order_and_batches_change_nothing(checkpoint: Path, make_clip: Clips, pictures: Pictures) -> None:
    encoder = load_encoder(f"open_clip:tiny-vit@{checkpoint}", "visual", "cpu")
    items = [encoder.preparer(make_clip(pictures(n))) for n in (1, 3, 2, 1, 5, 1, 1)]
    alone = np.concatenate([encoder.encode([item]) for item in items])
    for batch_size in (1, 2, 3, 100):
        encoder.batch_size = batch_size
        np.testing.assert_allclose(encoder.encode(items), alone, atol=1e-6)
        np.testing.assert_allclose(encoder.encode(items[::-1]), alone[::-1], atol=1e-6)
    assert encoder.encode([]).shape == (0, 24)


def test_a_clip_without_frames_has_no_item(checkpoint: Path, make_clip: Clips) -> None:
    encoder = load_encoder(f"open_clip:tiny-vit@{checkpoint}", "visual", "cpu")
    assert encoder.preparer(make_clip()) is None


def test_the_preparer_travels_and_its_items_are_small(checkpoint: Path, make_clip: Clips, pictures: Pictures) -> None:
    encoder = load_encoder(f"open_clip:tiny-vit@{checkpoint}", "visual", "cpu")
    sent = pickle.dumps(encoder.preparer)
    assert len(sent) < 500
    clip = make_clip(pictures(1, 500, 300))
    item = pickle.loads(sent)(clip)
    assert (item.dtype, item.shape) == (np.uint8, (1, 32, 32, 3))
    np.testing.assert_array_equal(item, encoder.preparer(clip))


def test_patches_are_the_mean_over_the_last_layers_patch_tokens(
    checkpoint: Path, make_clip: Clips, pictures: Pictures
) -> None:
    model, _, transform = open_clip.create_model_and_transforms("tiny-vit", pretrained=str(checkpoint))
    tokens: list[torch.Tensor] = []
    model.visual.transformer.resblocks[-1].register_forward_hook(lambda _module, _inputs, output: tokens.append(output))
    encoder = load_encoder(f"open_clip-patches:tiny-vit@{checkpoint}", "visual", "cpu")
    frames = pictures(2)
    with torch.no_grad():
        model.eval().encode_image(torch.stack([transform(Image.fromarray(f)) for f in frames]))
    assert tokens[0].shape == (2, 1 + 16, 64)
    expected = tokens[0][:, 1:].mean(dim=(0, 1)).numpy()
    ours = encoder.encode([encoder.preparer(make_clip(frames))])[0]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert encoder.spec.dim == 64


def test_the_papers_vision_model_has_1024_dimensions() -> None:
    config = open_clip.get_model_config("ViT-L-14-336")["vision_cfg"]
    assert (config["width"], config["image_size"], config["patch_size"]) == (1024, 336, 14)


def test_patches_of_a_convolutional_model_are_the_cells_of_its_last_map(
    tiny_models: Path, make_clip: Clips, pictures: Pictures
) -> None:
    path = tiny_models / "tiny-resnet.pt"
    model, _, transform = open_clip.create_model_and_transforms("tiny-resnet", pretrained=str(path))
    frames = pictures(1)
    last: list[torch.Tensor] = []
    model.eval().visual.layer4.register_forward_hook(lambda _module, _inputs, output: last.append(output))
    library_vectors(model, transform, frames)
    encoder = load_encoder(f"open_clip-patches:tiny-resnet@{path}", "visual", "cpu")
    ours = encoder.encode([encoder.preparer(make_clip(frames))])[0]
    np.testing.assert_allclose(ours, last[0].mean(dim=(0, 2, 3)).numpy(), atol=1e-5)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.filterwarnings("ignore:QuickGELU mismatch")  # the library's, where this test calls it
def test_a_tag_brings_its_preprocessing_and_its_activation(
    quick: bool, checkpoint: Path, make_clip: Clips, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"file": str(checkpoint), "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bilinear"}
    tag = {**settings, "resize_mode": "squash", "quick_gelu": quick}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-vit", {"mine": tag})
    encoder = load_encoder("open_clip:tiny-vit@mine", "visual", "cpu")
    assert encoder.spec.weights.startswith("mine sha256:")
    frames = pictures(2, 50, 33)
    model, _, transform = open_clip.create_model_and_transforms("tiny-vit", "mine", force_quick_gelu=quick)
    expected = library_vectors(model.eval(), transform, frames).mean(axis=0)
    np.testing.assert_allclose(encoder.encode([encoder.preparer(make_clip(frames))])[0], expected, atol=1e-5)
    other, _, _ = open_clip.create_model_and_transforms("tiny-vit", "mine", force_quick_gelu=not quick)
    assert np.abs(library_vectors(other.eval(), transform, frames).mean(axis=0) - expected).max() > 1e-4
    assert load_encoder("open_clip:tiny-vit", "visual", "cpu").spec.weights == encoder.spec.weights  # its only tag


def test_specs_tell_what_was_loaded_and_how(checkpoint: Path) -> None:
    plain, patches = (load_encoder(f"{kind}:tiny-vit@{checkpoint}", "visual", "cpu").spec for kind in KINDS)
    assert plain.name == f"open_clip:tiny-vit@{checkpoint}"
    assert plain.model == "open_clip tiny-vit"
    assert plain.weights.startswith("tiny-vit.pt sha256:")
    assert plain.weights == patches.weights
    assert [line.partition(":")[0] for line in plain.differences(patches)] == ["name", "dim", "pooling"]


def test_a_folder_of_open_clip_is_taken(checkpoint: Path, tmp_path: Path, make_clip: Clips, pictures: Pictures) -> None:
    folder = tmp_path / "my@model"
    folder.mkdir()
    config = checkpoint.with_suffix(".json").read_text()
    (folder / "open_clip_config.json").write_text(f'{{"model_cfg": {config}}}')
    with pytest.raises(EncoderUnavailable):  # weights are missing: never a random model
        load_encoder(f"open_clip:local-dir:{folder}", "visual", "cpu")
    save_file(torch.load(checkpoint, weights_only=True), folder / "open_clip_model.safetensors")
    ours = load_encoder(f"open_clip:local-dir:{folder}", "visual", "cpu")
    other = load_encoder(f"open_clip:tiny-vit@{checkpoint}", "visual", "cpu")
    items = [other.preparer(make_clip(pictures(1)))]
    np.testing.assert_array_equal(ours.encode(items), other.encode(items))


# -- the weights' hash -------------------------------------------------------------------------------------------------


def weights_hash(spec: EncoderSpec) -> str:
    return spec.weights.partition("sha256:")[2]


def test_the_hash_follows_the_weights_and_not_the_file(checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    save_file(state, tmp_path / "same.safetensors")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "wrapped.pt")
    state["visual.proj"][0, 0] += 1e-6
    torch.save(state, tmp_path / "other.pt")
    paths = [checkpoint, tmp_path / "same.safetensors", tmp_path / "wrapped.pt", tmp_path / "other.pt"]
    found = [weights_hash(load_encoder(f"open_clip:tiny-vit@{path}", "visual", "cpu").spec) for path in paths]
    assert len(found[0]) == 16
    assert found[0] == found[1] == found[2] != found[3]


# -- files that are no checkpoint --------------------------------------------------------------------------------------


class Code:
    """Leaves a trace where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def refused(spec: str) -> str:
    with pytest.raises(EncoderUnavailable) as error:
        load_encoder(spec, "visual", "cpu")
    message = str(error.value)
    assert message.startswith(spec)
    assert "--preset offline" in message
    assert len(message) < 1000
    return error.value.cause


def test_a_pickle_with_code_is_refused_unrun(checkpoint: Path, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pt"
    torch.save({"state_dict": torch.load(checkpoint, weights_only=True), "extra": Code(str(trace))}, path)
    assert "foreign code" in refused(f"open_clip:tiny-vit@{path}")
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # so the trap was a real one


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin"])
def test_damaged_and_foreign_files_are_refused(suffix: str, checkpoint: Path, tmp_path: Path) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".safetensors":
        save_file(torch.load(checkpoint, weights_only=True), whole)
    else:
        shutil.copy(checkpoint, whole)
    content = whole.read_bytes()
    for name, wrong in {"cut": content[: len(content) // 2], "empty": b"", "text": b"no weights here\n" * 40}.items():
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(wrong)
        assert str(path) in refused(f"open_clip:tiny-vit@{path}")
    assert "no file" in refused(f"open_clip:tiny-vit@{tmp_path / 'absent'}{suffix}")
    assert "no file" in refused(f"open_clip:tiny-vit@{tmp_path}/")


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": None}, torch.zeros(3)])
def test_files_without_named_tensors_are_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pt")
    assert "no named tensors" in refused(f"open_clip:tiny-vit@{tmp_path / 'x.pt'}")


def test_weights_of_another_model_are_refused(tiny_models: Path) -> None:
    cause = refused(f"open_clip:tiny-vit@{tiny_models / 'tiny-resnet.pt'}")
    assert "visual" in cause  # names the keys that do not fit


# -- names -------------------------------------------------------------------------------------------------------------


def test_an_unknown_model_is_an_error_with_near_names() -> None:
    with pytest.raises(ValueError, match="no model 'ViT-B-33'; near are ViT-B-32") as error:
        load_encoder("open_clip:ViT-B-33@openai", "visual", "cpu")
    assert not isinstance(error.value, EncoderUnavailable)


@pytest.mark.parametrize("spec", ["open_clip:ViT-B-32@laion", "open_clip:ViT-B-32"])
def test_an_unknown_or_missing_tag_is_an_error_with_the_models_tags(spec: str) -> None:
    with pytest.raises(ValueError, match=r"tags of ViT-B-32: openai, .*laion2b_s34b_b79k"):
        load_encoder(spec, "visual", "cpu")
