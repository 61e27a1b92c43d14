"""Speech models of torchaudio: ``torchaudio:BUNDLE[@path]``, such as ``torchaudio:WAV2VEC2_BASE``.

Without a path the bundle fetches its own weights; a path is a state dict of the same model, saved with torch.save.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchaudio
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from segfeat.encoders.device import arithmetic, upload
from segfeat.encoders.preparers import SoundPreparer
from segfeat.encoders.registry import ParsedSpec
from segfeat.encoders.weights import check_checkpoint, fingerprint, loading, unavailable
from segfeat.types import EncoderSpec, Float32

BATCH_SIZE = {"cpu": 1, "cuda": 32}
"""Sounds at once: one of 5 s fills a core, and the first convolutions of 32 take some gigabytes of a GPU."""


class TorchaudioBundle:
    """Mean over time of the last transformer layer.

    Sounds run together only where they are equally long: normalisation inside these models runs over time, so that
    padding would change the result. A sound shorter than one step of the model's receptive field has no vector.
    """

    def __init__(self, parsed: ParsedSpec, device: torch.device) -> None:
        self.device = device
        self.model, self._normalize, source = _load(parsed)
        self.model.to(device)
        rate = int(getattr(torchaudio.pipelines, parsed.model).sample_rate)
        least = _receptive_field(self.model)
        self.preparer = SoundPreparer(rate, least)
        self.frame_size: int | None = None
        self.sample_rate: int | None = rate
        self.batch_size = BATCH_SIZE[device.type]
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="audio",
            dim=self._encode_batch([np.zeros(least, np.float32)]).shape[1],
            model=f"torchaudio {parsed.model}",
            weights=f"{source} {fingerprint(self.model)}",
            pooling="mean over time of the last transformer layer",
        )
        _weigh_once(self.model)  # after its fingerprint, which is that of the weights as they came

    def encode(self, items: Sequence[Float32]) -> Float32:
        """Vectors (n, D) of n waveforms (samples,), each at least as long as the preparer asks for."""
        alike: dict[int, list[int]] = defaultdict(list)
        for i, item in enumerate(items):
            alike[len(item)].append(i)
        order, done = [], []
        for rows in alike.values():
            for first in range(0, len(rows), self.batch_size):
                batch = rows[first : first + self.batch_size]
                order += batch
                done.append(self._encode_batch([items[i] for i in batch]))
        vectors = np.zeros((len(items), self.spec.dim), np.float32)
        if done:
            vectors[order] = torch.cat(done).cpu().numpy()
        return vectors

    @torch.inference_mode()
    def _encode_batch(self, waveforms: list[Float32]) -> torch.Tensor:
        batch = upload(np.stack(waveforms), self.device)
        if self._normalize:
            batch = torch.nn.functional.layer_norm(batch, batch.shape[1:])
        with arithmetic(self.device):
            layers, _ = self.model.extract_features(batch)
        return layers[-1].float().mean(dim=1)


def _load(parsed: ParsedSpec) -> tuple[Any, bool, str]:
    """The model, whether it wants normalised waveforms, and where its weights came from, in words."""
    bundles = _bundles()
    if parsed.model not in bundles:
        raise ValueError(f"{parsed.text}: torchaudio has no bundle {parsed.model!r}; valid are {', '.join(bundles)}")
    download: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
    source = "torchaudio"
    if parsed.weights:
        path = Path(parsed.weights).expanduser().resolve()
        if path.suffix == ".safetensors":
            raise unavailable(parsed, f"torchaudio reads state dicts saved with torch.save, not {path.name}")
        try:
            check_checkpoint(path)
        except ValueError as error:
            raise unavailable(parsed, str(error)) from error
        # The bundle's own loader takes a file that is already there: the same code for local and fetched weights.
        download |= {"model_dir": str(path.parent), "file_name": path.name}
        source = path.name
    with loading(parsed):
        model = bundles[parsed.model].get_model(dl_kwargs=download)
    # Such a bundle's wrapper normalises over the whole batch, which would make a vector depend on its neighbours: take
    # the model inside, and normalise each waveform by itself, as the wrapper does with a single one.
    normalize = bool(getattr(model, "normalize_waveform", False))
    inner = model.model if hasattr(model, "normalize_waveform") else model
    return inner.eval(), normalize, source


def _bundles() -> dict[str, Any]:
    """Bundles of speech models by name; what torchaudio offers besides has no layers to take."""
    kind = torchaudio.pipelines.Wav2Vec2Bundle
    found = {name: getattr(torchaudio.pipelines, name) for name in torchaudio.pipelines.__all__}
    return {name: bundle for name, bundle in found.items() if isinstance(bundle, kind)}


def _weigh_once(model: torch.nn.Module) -> None:
    """Compute weights that are kept as direction and length now, not again at every call; they stay the same bits."""
    for module in list(model.modules()):
        if is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                remove_parametrizations(module, name)


def _receptive_field(model: Any) -> int:
    """How many samples one step of the model's convolutions sees: fewer give no step at all."""
    samples = 1
    for layer in reversed(model.feature_extractor.conv_layers):
        samples = (samples - 1) * layer.stride + layer.kernel_size
    return samples
