"""Which encoders there are, and from a specification such as ``open_clip:ViT-B-32@laion2b_s34b_b79k`` to one of them.

A new encoder is one class and one line in `ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from segfeat.encoders.base import Encoder, EncoderUnavailable
from segfeat.types import Modality


@dataclass(frozen=True)
class EncoderEntry:
    """One kind of encoder: its modality, its class as ``module:Class``, and how its specification is written."""

    modality: Modality
    address: str
    form: str


ENCODERS: Mapping[str, EncoderEntry] = {
    "open_clip": EncoderEntry("visual", "segfeat.encoders.openclip:OpenClip", "open_clip:MODEL[@TAG-or-path]"),
    "open_clip-patches": EncoderEntry(
        "visual", "segfeat.encoders.openclip:OpenClipPatches", "open_clip-patches:MODEL[@TAG-or-path]"
    ),
    "offline:color-texture": EncoderEntry(
        "visual", "segfeat.encoders.color_texture:ColorTexture", "offline:color-texture"
    ),
    "torchaudio": EncoderEntry("audio", "segfeat.encoders.speech:TorchaudioBundle", "torchaudio:BUNDLE[@path]"),
    "offline:logmel": EncoderEntry("audio", "segfeat.encoders.logmel:LogMel", "offline:logmel"),
    "sentence-transformers": EncoderEntry(
        "text", "segfeat.encoders.sentence:SentenceEncoder", "sentence-transformers:NAME-or-path"
    ),
    "offline:hashing": EncoderEntry("text", "segfeat.encoders.hashing:Hashing", "offline:hashing"),
}
"""Scheme, or whole specification, -> encoder."""

NONE = "none"
"""The specification of no encoder."""


@dataclass(frozen=True)
class Preset:
    """A named choice of encoders, with the place of frames in a segment (`segfeat.segment.FRAME_POSITIONS`)."""

    encoders: Mapping[Modality, str]
    frame_position: str
    summary: str


_CLIP = Preset(
    {
        "visual": "open_clip:ViT-B-32@laion2b_s34b_b79k",
        "audio": "torchaudio:WAV2VEC2_BASE",
        "text": "sentence-transformers:all-MiniLM-L6-v2",
    },
    "middle",
    "CLIP, wav2vec 2.0 and MiniLM",
)

PRESETS: Mapping[str, Preset] = {
    "clip": _CLIP,
    "offline": Preset(
        {"visual": "offline:color-texture", "audio": "offline:logmel", "text": "offline:hashing"},
        "middle",
        "classical descriptors that need no weights",
    ),
    "multilingual": Preset(
        {**_CLIP.encoders, "text": "sentence-transformers:paraphrase-multilingual-MiniLM-L12-v2"},
        "middle",
        "CLIP and wav2vec 2.0, with words of fifty languages",
    ),
    "paper": Preset(
        {**_CLIP.encoders, "visual": "open_clip-patches:ViT-L-14-336@openai"},
        "start",
        "the vision features of He et al. 2025, with the sound and text of clip",
    ),
}
"""Name -> preset; the first one is the default."""


@dataclass(frozen=True)
class ParsedSpec:
    """A specification taken apart.

    Attributes
    ----------
    text : str
        As the user wrote it.
    kind : str
        Key of `ENCODERS`.
    model : str
        What stands between the scheme and ``@``; empty for encoders that come in one form only.
    weights : str
        What stands behind ``@``: a tag or a path; empty where nothing is given.
    """

    text: str
    kind: str
    model: str
    weights: str

    @property
    def entry(self) -> EncoderEntry:
        return ENCODERS[self.kind]


def forms(modality: Modality | None = None) -> list[str]:
    """How specifications of a modality (or of all) may be written."""
    return [entry.form for entry in ENCODERS.values() if modality in (None, entry.modality)] + [NONE]


def parse_spec(text: str, modality: Modality | None = None) -> ParsedSpec:
    """Take a specification apart, without loading anything.

    Raises
    ------
    ValueError
        If there is no such encoder, or it is one for another modality; names the valid forms.
    """
    choices = f"valid are {', '.join(forms(modality))}"
    what = f"{modality} encoder" if modality else "encoder"
    scheme, colon, rest = text.partition(":")
    kind = text if text in ENCODERS else scheme
    if kind not in ENCODERS:
        raise ValueError(f"unknown {what} {text!r}; {choices}")
    entry = ENCODERS[kind]
    if modality not in (None, entry.modality):
        raise ValueError(f"{text!r} encodes {entry.modality}, not {modality}; {choices}")
    if kind == text and colon:
        return ParsedSpec(text, kind, "", "")
    model, at, weights = rest, "", ""
    # Only where the form has an "@": names and paths of sentence-transformers, and open_clip's own "local-dir:/path"
    # and "hf-hub:owner/name", may contain one themselves.
    if "@" in entry.form and not rest.startswith(("local-dir:", "hf-hub:")):
        model, at, weights = rest.partition("@")
    if not model or (at and not weights):
        raise ValueError(f"incomplete {what} {text!r}; it is written {entry.form}")
    return ParsedSpec(text, kind, model, weights)


def load_encoder(spec: str, modality: Modality, device: str = "auto") -> Encoder | None:
    """The encoder of a specification, with its weights, ready on a device.

    Parameters
    ----------
    spec : str
        As in `ENCODERS`, or ``none``.
    modality : {"visual", "audio", "text"}
        What it is wanted for.
    device : str
        ``auto`` (CUDA where there is a usable one, else the CPU), ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    Encoder or None
        None for ``none``.

    Raises
    ------
    ValueError
        If the specification or the device is unknown; names the valid choices.
    EncoderUnavailable
        If its weights cannot be had or used, or its library cannot be imported.
    """
    if spec == NONE:
        return None
    parsed = parse_spec(spec, modality)
    module, _, name = parsed.entry.address.partition(":")
    try:
        from segfeat.encoders.device import resolve_device

        encoder_class = getattr(import_module(module), name)
    except (ImportError, OSError, RuntimeError) as error:  # libraries built for another torch raise each of these
        choices = "repair the installation (pip install --force-reinstall segfeat) or another encoder"
        raise EncoderUnavailable(spec, f"its library cannot be imported ({error})", choices) from error
    encoder: Encoder = encoder_class(parsed, resolve_device(device))
    return encoder
