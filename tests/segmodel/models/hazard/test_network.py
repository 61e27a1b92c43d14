"""The network on made-up batches: what must not matter does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from segmodel.data.batch import Content
from segmodel.models.hazard.design import Widths
from segmodel.models.hazard.features import SEGMENT_FEATURES
from segmodel.models.hazard.network import AGE_FEATURES, HazardBatch, HazardNetwork

WIDTHS = Widths(view=7, user=9, token=6, max_segments=8, width=16, rank=4)
DIMS = {"visual": 5, "audio": 3}
ROWS = 30


@pytest.fixture
def network() -> HazardNetwork:
    torch.manual_seed(0)
    made = HazardNetwork(WIDTHS, DIMS).eval()
    # Weights as after some training, so that no path is switched off by its initial value.
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return made


def _batch(
    views: int = 4, width: int = 6, history: int = 5, viewed: int = 9, histories: int | None = None
) -> HazardBatch:
    g = torch.Generator().manual_seed(1)
    past = views if histories is None else histories
    content = Content(
        torch.randint(1, ROWS, (views, width), generator=g),
        torch.randint(1, ROWS, (past, viewed), generator=g),
        {m: torch.randn(ROWS, d, generator=g) for m, d in DIMS.items()},
        {m: torch.arange(ROWS) > 0 for m in DIMS},
    )
    chance = torch.rand(past, viewed, generator=g)
    left = (torch.rand(past, viewed, generator=g) < chance).float()
    return HazardBatch(
        view=torch.randn(views, WIDTHS.view, generator=g),
        user=torch.randn(views, WIDTHS.user, generator=g),
        token=torch.randn(past, history, WIDTHS.token, generator=g),
        age=torch.rand(past, history, AGE_FEATURES, generator=g),
        token_mask=torch.ones(past, history, dtype=torch.bool),
        segment=torch.randn(views, width, SEGMENT_FEATURES, generator=g),
        to_end=torch.arange(width).flip(0).expand(views, -1),
        offset=torch.randn(views, width, generator=g),
        segments=torch.full((views,), width),
        exit=torch.zeros(views, dtype=torch.int64),
        content=content,
        evidence=torch.stack([left - chance, chance * (1 - chance), chance], dim=2),
    )


def _content(batch: HazardBatch) -> Content:
    assert batch.content is not None
    return batch.content


def _same(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_shared_history_equals_the_same_history_repeated(network: HazardNetwork) -> None:
    shared = _batch(histories=1)
    content = _content(shared)
    names = ("token", "age", "token_mask", "evidence")
    repeated = replace(
        shared,
        **{n: getattr(shared, n).expand(4, *getattr(shared, n).shape[1:]) for n in names},
        content=replace(content, history_row=content.history_row.expand(4, -1)),
    )
    _same(network(shared), network(repeated))


@torch.no_grad()
def test_histories_matter(network: HazardNetwork) -> None:
    batch = _batch()
    for name in ("token", "age", "evidence"):
        changed = replace(batch, **{name: getattr(batch, name).flip(0)})
        assert (network(changed) - network(batch)).abs().max() > 1e-4, name


@torch.no_grad()
def test_padding_is_inert(network: HazardNetwork) -> None:
    batch = _batch()
    content = _content(batch)
    wide, long, more = 2, 3, 4  # more segments, history views and viewed segments

    def after(x: torch.Tensor, n: int) -> torch.Tensor:
        return torch.cat([x, torch.zeros(len(x), n, *x.shape[2:], dtype=x.dtype)], dim=1)

    def before(x: torch.Tensor, n: int, value: float = 0.0) -> torch.Tensor:
        return torch.cat([torch.full((len(x), n, *x.shape[2:]), value, dtype=x.dtype), x], dim=1)

    padded = replace(
        batch,
        token=before(batch.token, long, 9.0),
        age=before(batch.age, long, 9.0),
        token_mask=before(batch.token_mask, long),
        segment=after(batch.segment, wide),
        to_end=after(batch.to_end, wide),
        offset=after(batch.offset, wide),
        evidence=before(batch.evidence, more),
        content=replace(
            content, segment_row=after(content.segment_row, wide), history_row=before(content.history_row, more)
        ),
    )
    _same(network(padded)[:, : batch.offset.shape[1]], network(batch))


@torch.no_grad()
def test_no_history_at_all_is_finite(network: HazardNetwork) -> None:
    batch = _batch()
    empty = replace(
        batch,
        token_mask=torch.zeros_like(batch.token_mask),
        evidence=torch.zeros_like(batch.evidence),
    )
    out = network(empty)
    assert out.isfinite().all()
    _same(network(replace(empty, token=empty.token + 5.0)), out)


@torch.no_grad()
def test_a_segment_without_content_takes_nothing_from_any_modality(network: HazardNetwork) -> None:
    batch = _batch()
    content = _content(batch)
    segment_row = content.segment_row.clone()
    segment_row[0, 2] = segment_row[3, 5] = 0
    bare = torch.zeros_like(segment_row, dtype=torch.bool)
    bare[0, 2] = bare[3, 5] = True
    batch = replace(batch, content=replace(content, segment_row=segment_row))
    out = network(batch)
    assert out.isfinite().all()
    other = {m: torch.randn_like(x) * 3 for m, x in content.features.items()}
    changed = network(replace(batch, content=replace(_content(batch), features=other)))
    _same(changed[bare], out[bare])
    assert ((changed - out)[~bare].abs() > 1e-5).all()


@torch.no_grad()
def test_invalid_features_are_never_read(network: HazardNetwork) -> None:
    batch = _batch()
    content = _content(batch)
    valid = {m: v & (torch.arange(ROWS) % (2 + i) != 0) for i, (m, v) in enumerate(content.valid.items())}
    other = {m: torch.where(valid[m][:, None], x, x + 7.0) for m, x in content.features.items()}
    one = network(replace(batch, content=replace(content, valid=valid)))
    two = network(replace(batch, content=replace(content, valid=valid, features=other)))
    _same(one, two)


@torch.no_grad()
def test_a_liked_segment_is_left_less_and_a_disliked_one_more(network: HazardNetwork) -> None:
    batch = _batch(views=1, viewed=2)
    content = replace(
        _content(batch), segment_row=torch.tensor([[1, 2, 3, 4, 5, 6]]), history_row=torch.tensor([[1, 2]])
    )
    fresh = HazardNetwork(WIDTHS, DIMS).eval()
    evidence = torch.tensor([[[-0.8, 0.16, 0.8], [0.8, 0.16, 0.2]]])
    taste = fresh._taste(replace(batch, evidence=evidence), content)
    assert (taste[0, 0] < 0).all()
    assert (taste[0, 1] > 0).all()
    assert (fresh.taste_weight > 0).all()


def test_every_parameter_learns(network: HazardNetwork) -> None:
    network(_batch()).square().sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert without == []
