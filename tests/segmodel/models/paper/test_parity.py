"""The whole of the paper's model, Eqs. 3 to 8, against numpy written from the text.

Weights are read out of the network; everything else is computed anew.
"""

from __future__ import annotations

from itertools import combinations
from math import erf

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from segmodel.data.batch import Batch
from segmodel.models.losses import intra_video_loss
from segmodel.models.paper.model import PaperConfig, PaperNetwork

Array = npt.NDArray[np.float64]

D, HEADS, FUSION_HEADS, LAYERS = 8, 2, 2, 2


def _numpy(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


def _linear(module: nn.Module, x: Array) -> Array:
    return x @ _numpy(module.weight).T + _numpy(module.bias)  # type: ignore[arg-type]


def _norm(module: nn.Module, x: Array) -> Array:
    return _plain_norm(x) * _numpy(module.weight) + _numpy(module.bias)  # type: ignore[arg-type]


def _plain_norm(x: Array) -> Array:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def _stream(stream: nn.Module, x: Array, y: Array) -> Array:
    """Eqs. 3 to 6 for one stream: x attends to y and itself under one softmax; then both residual blocks."""
    cross, own = (stream.get_submodule(f"attention.{name}") for name in ("cross", "own"))
    width, mixed = D // HEADS, []
    for head in range(HEADS):
        part = slice(head * width, (head + 1) * width)

        def of(maps: nn.Module, name: str, tokens: Array, part: slice = part) -> Array:
            return _linear(maps.get_submodule(name), tokens)[:, part]

        a_xy = of(cross, "query", x) @ of(cross, "key", y).T / np.sqrt(width)
        a_xx = of(own, "query", x) @ of(own, "key", x).T / np.sqrt(width)
        logits = np.concatenate([a_xy, a_xx], axis=1)
        weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        mixed.append(weights @ np.concatenate([of(cross, "value", y), of(own, "value", x)]))
    x = _norm(stream.get_submodule("norm"), x + _linear(stream.get_submodule("output"), np.concatenate(mixed, axis=1)))
    hidden = _linear(stream.get_submodule("feed_forward.0"), x)
    gelu = hidden * 0.5 * (1 + np.vectorize(erf)(hidden / np.sqrt(2)))
    return _norm(stream.get_submodule("feed_norm"), x + _linear(stream.get_submodule("feed_forward.3"), gelu))


def _reference(network: PaperNetwork, user: int, video: int, segments: int, shown: Array, seen: Array) -> Array:
    """Interest of the N segments and the end slot of one view, from ids and visual features."""
    slots, own_end = segments + 1, network.config.end_slot == "own"
    tokens: list[tuple[Array, Array]] = []
    ids, visual = network.representation["id"], network.representation["visual"]

    def places(module: nn.Module) -> Array:
        position = _numpy(module.get_submodule("position").weight[:slots])  # type: ignore[index,arg-type]
        return np.concatenate([position[:-1], _numpy(module.end)[None]]) if own_end else position  # type: ignore[arg-type]

    person = _numpy(ids.get_submodule("user").weight[user])[None]  # type: ignore[index,arg-type]
    which = _numpy(ids.get_submodule("video").weight[video])  # type: ignore[index,arg-type]
    tokens.append((person, np.concatenate([np.tile(which, (slots, 1)), places(ids)], axis=1)))
    project = visual.get_submodule("project")
    absent = _numpy(visual.absent)  # type: ignore[arg-type]
    target = np.concatenate([_linear(project, _plain_norm(shown)), absent[None]]) + places(visual)
    past = _linear(project, _plain_norm(seen))
    past = past + _numpy(visual.get_submodule("history_position").weight[-len(seen) :])  # type: ignore[index,arg-type]
    tokens.append((_norm(visual.get_submodule("history_norm"), past), _norm(visual.get_submodule("norm"), target)))

    latent = []
    for name, (u, v) in zip(("id", "visual"), tokens, strict=True):
        for layer in range(LAYERS):
            streams = [network.encoder[name].get_submodule(f"layers.{layer}.{s}") for s in ("user", "video")]
            u, v = _stream(streams[0], u, v), _stream(streams[1], v, u)
        latent.append(v)

    fusion = network.decoder.fusion
    o = _numpy(fusion.bias) + sum(x @ w for x, w in zip(latent, _numpy(fusion.linear), strict=True))
    for weight, (x, y) in zip(_numpy(fusion.bilinear), combinations(latent, 2), strict=True):
        for k in range(FUSION_HEADS):
            part = slice(k * D // FUSION_HEADS, (k + 1) * D // FUSION_HEADS)
            o = o + np.einsum("np,pq,nq->n", x[:, part], weight[k], y[:, part])
    if network.config.score == "sigmoid":
        o = 1 / (1 + np.exp(-o))
    bias = network.decoder.position
    index = np.arange(1, slots + 1)
    return np.asarray(o + _numpy(bias.weight)[:slots] * index + _numpy(bias.bias)[:slots])


@pytest.mark.parametrize("score", ["logit", "sigmoid"])
@pytest.mark.parametrize("end_slot", ["own", "shared"])
def test_equations_3_to_8(score: str, end_slot: str) -> None:
    torch.manual_seed(0)
    config = PaperConfig(
        d=D,
        heads=HEADS,
        fusion_heads=FUSION_HEADS,
        layers=LAYERS,
        max_segments=6,
        score=score,
        end_slot=end_slot,
    )
    network = PaperNetwork(config, users=4, videos=5, dims={"visual": 3}).eval()
    with torch.no_grad():
        # Zero at the start of training: give them something to say.
        for parameter in (*network.decoder.position.parameters(), network.decoder.fusion.bias):
            parameter.normal_()
        network.representation["visual"].absent.normal_()  # type: ignore[union-attr,operator]
    rng = np.random.default_rng(0)
    content = rng.normal(size=(8, 3))
    # Two views, of 3 and 2 segments, with histories of 2 and 3.
    row = torch.tensor([[1, 2, 3], [4, 5, 0]])
    history_row = torch.tensor([[0, 6, 7], [1, 4, 6]])
    batch = Batch(
        user=torch.tensor([1, 3]),
        video=torch.tensor([2, 4]),
        segments=torch.tensor([3, 2]),
        mask=row > 0,
        segment_row=row,
        history_video=torch.zeros_like(history_row),
        history_segment=torch.zeros_like(history_row),
        history_row=history_row,
        history_mask=history_row > 0,
        content={"visual": torch.from_numpy(np.concatenate([np.zeros((1, 3)), content[1:]])).float()},
        content_valid={"visual": torch.arange(8) > 0},
        exit=torch.tensor([1, 2]),
    )
    found = network(batch)
    expected = [
        _reference(network, 1, 2, 3, content[[1, 2, 3]], content[[6, 7]]),
        _reference(network, 3, 4, 2, content[[4, 5]], content[[1, 4, 6]]),
    ]
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(_numpy(got)[: len(want)], want, rtol=1e-4, atol=1e-5)
    # Eq. 8: the first was left in segment 1, the second completed, which is slot 2.
    terms = [np.log1p(np.exp(-(expected[0][j] - expected[0][1]))) for j in (0, 2, 3)]
    terms += [np.log1p(np.exp(-(expected[1][j] - expected[1][2]))) for j in (0, 1)]
    loss = intra_video_loss(found, batch.segments, batch.exit, config.max_segments)
    assert loss.item() == pytest.approx(sum(terms) / 2, rel=1e-4)


def test_logits_move_a_margin_further_than_a_sigmoid_can() -> None:
    """Without the position bias, no two slots of the printed form are more than 1 apart; the public code's are."""
    apart = {}
    for score in ("sigmoid", "logit"):
        torch.manual_seed(0)
        network = PaperNetwork(PaperConfig(d=D, modalities=("id",), score=score), users=3, videos=3, dims={})
        with torch.no_grad():
            network.decoder.fusion.linear.mul_(50)
            o = network.decoder.fusion([torch.randn(1, 5, D)])
        apart[score] = float(o.max() - o.min())
    assert apart["sigmoid"] <= 1.0
    assert apart["logit"] > 5.0
