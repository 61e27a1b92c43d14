"""Specifications, presets, and encoders that cannot be had."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants as hub

from segfeat.encoders import ENCODERS, PRESETS, EncoderUnavailable, forms, load_encoder, parse_spec
from segfeat.segment import FRAME_POSITIONS
from segfeat.types import MODALITIES


@pytest.mark.parametrize(
    ("text", "kind", "model", "weights"),
    [
        ("open_clip:ViT-B-32@laion2b_s34b_b79k", "open_clip", "ViT-B-32", "laion2b_s34b_b79k"),
        ("open_clip:ViT-B-32@/a b/x@y.pt", "open_clip", "ViT-B-32", "/a b/x@y.pt"),
        ("open_clip:local-dir:/models/x@y", "open_clip", "local-dir:/models/x@y", ""),
        ("open_clip-patches:ViT-L-14-336@openai", "open_clip-patches", "ViT-L-14-336", "openai"),
        ("torchaudio:WAV2VEC2_BASE", "torchaudio", "WAV2VEC2_BASE", ""),
        ("torchaudio:HUBERT_BASE@w.pth", "torchaudio", "HUBERT_BASE", "w.pth"),
        ("sentence-transformers:me@home/model", "sentence-transformers", "me@home/model", ""),
        ("offline:logmel", "offline:logmel", "", ""),
    ],
)
def test_a_specification_is_taken_apart(text: str, kind: str, model: str, weights: str) -> None:
    parsed = parse_spec(text)
    assert (parsed.text, parsed.kind, parsed.model, parsed.weights) == (text, kind, model, weights)


@pytest.mark.parametrize("text", ["", "clip", "open-clip:ViT-B-32", "offline:", "offline:logmel@x", "offline:colour"])
def test_an_unknown_encoder_is_an_error_with_every_valid_form(text: str) -> None:
    with pytest.raises(ValueError, match="unknown encoder") as error:
        parse_spec(text)
    assert all(form in str(error.value) for form in forms())


@pytest.mark.parametrize(
    "text", ["open_clip:", "open_clip", "open_clip:ViT-B-32@", "torchaudio:@x", "sentence-transformers:"]
)
def test_half_a_specification_is_an_error_that_shows_the_whole(text: str) -> None:
    with pytest.raises(ValueError, match="it is written") as error:
        parse_spec(text)
    assert ENCODERS[text.partition(":")[0]].form in str(error.value)


def test_an_encoder_of_another_modality_is_an_error_with_the_fitting_ones() -> None:
    with pytest.raises(ValueError, match="encodes audio, not visual") as error:
        load_encoder("offline:logmel", "visual")
    assert "offline:color-texture" in str(error.value)
    assert "hashing" not in str(error.value)


@pytest.mark.parametrize("modality", MODALITIES)
def test_none_is_no_encoder(modality: str) -> None:
    assert load_encoder("none", modality) is None


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:0", "mps", "", "cuda:99"])
def test_an_unknown_device_is_an_error(device: str) -> None:
    with pytest.raises(ValueError, match="device") as error:
        load_encoder("offline:hashing", "text", device)
    assert "auto" in str(error.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole_and_fit_their_modalities(preset: str) -> None:
    chosen = PRESETS[preset]
    assert tuple(chosen.encoders) == MODALITIES
    assert chosen.frame_position in FRAME_POSITIONS
    assert [parse_spec(spec, modality).entry.modality for modality, spec in chosen.encoders.items()] == list(MODALITIES)


def test_the_presets_are_the_documented_ones() -> None:
    assert list(PRESETS) == ["clip", "offline", "multilingual", "paper"]
    assert PRESETS["clip"].encoders["visual"] == "open_clip:ViT-B-32@laion2b_s34b_b79k"
    assert PRESETS["paper"].encoders["visual"] == "open_clip-patches:ViT-L-14-336@openai"
    assert PRESETS["paper"].frame_position == "start"
    assert PRESETS["paper"].encoders["audio"] == PRESETS["clip"].encoders["audio"]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server answers, and nothing is cached."""

    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("preset", "modality"), [("clip", "visual"), ("clip", "audio"), ("clip", "text"), ("paper", "visual")]
)
def test_weights_that_cannot_be_fetched_are_one_clear_error(
    preset: str, modality: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = PRESETS[preset].encoders[modality]
    __import__(parse_spec(spec).entry.address.partition(":")[0])
    with pytest.raises(EncoderUnavailable) as error:
        load_encoder(spec, modality, "cpu")
    message = str(error.value)
    assert message.startswith(f"{spec} is not available: ")
    assert "cannot be reached" in message
    assert "--preset offline" in message
    assert f"--{modality} {spec.partition('@')[0].partition(':')[0]}:" in message
    assert "\n" not in message
    assert len(message) < 600
    assert hub.HF_HUB_OFFLINE is False
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("no_network")
def test_weights_in_the_cache_are_used_without_a_network(
    tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    cached = tmp_path / "models--somebody--tiny"
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    state = torch.load(tiny_models / "tiny-vit.pt", weights_only=True)
    save_file(state, cached / "snapshots" / "abc" / "open_clip_model.safetensors")
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-vit", {"fetched": {"hf_hub": "somebody/tiny/"}})
    fetched = load_encoder("open_clip:tiny-vit@fetched", "visual", "cpu").spec
    local = load_encoder(f"open_clip:tiny-vit@{tiny_models / 'tiny-vit.pt'}", "visual", "cpu").spec
    assert fetched.weights.split()[1] == local.weights.split()[1]


def test_the_users_own_offline_mode_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderUnavailable):
        load_encoder("sentence-transformers:nobody/nothing", "text", "cpu")
    assert hub.HF_HUB_OFFLINE is True


def test_the_loaded_libraries_are_those_the_encoder_needs() -> None:
    code = "import sys, json, pickle; from segfeat.encoders import *;" + (
        "from segfeat.encoders.preparers import PicturePreparer, SoundPreparer, WordsPreparer;"
        "from segfeat.encoders.color_texture import *;"
        "print(json.dumps(sorted({'torch', 'torchaudio', 'open_clip', 'transformers'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []  # preparers run beside the decoder, in many processes


def test_every_entry_points_at_a_class() -> None:
    folder = Path(__file__).parents[3] / "segfeat" / "encoders"
    for entry in ENCODERS.values():
        module, _, name = entry.address.partition(":")
        tree = ast.parse((folder / f"{module.rpartition('.')[2]}.py").read_text())
        assert name in [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
