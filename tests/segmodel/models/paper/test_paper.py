"""Every equation of the paper's model, against hand computations and the properties it must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from segmodel.models.losses import hazard_loss, intra_video_loss, watched_loss
from segmodel.models.paper.decoder import BilinearFusion, PositionBias, SegmentInterestDecoder
from segmodel.models.paper.encoder import CrossAttention, UserVideoEncoder


def _tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_attention_is_one_softmax_over_the_keys_of_both_streams() -> None:
    """Against the formula written out for one head."""
    attention = CrossAttention(d=4, heads=1)
    x, y = _tokens(1, 3, 4), _tokens(1, 2, 4, seed=1)
    real = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    a_xy = attention.cross["query"](x[0]) @ attention.cross["key"](y[0]).T / math.sqrt(4)
    a_xx = attention.own["query"](x[0]) @ attention.own["key"](x[0]).T / math.sqrt(4)
    weights = torch.softmax(torch.cat([a_xy, a_xx], dim=1), dim=1)
    expected = weights @ torch.cat([attention.cross["value"](y[0]), attention.own["value"](x[0])])
    torch.testing.assert_close(attention(x, real[0], y, real[1])[0], expected)


def test_each_direction_has_projections_of_its_own() -> None:
    layer = UserVideoEncoder(d=4, heads=2, layers=1, dropout=0.0).layers[0]
    maps = [m for stream in (layer.user, layer.video) for m in (stream.attention.cross, stream.attention.own)]
    weights = [m["query"].weight for m in maps]
    assert len({w.data_ptr() for w in weights}) == 4


def test_masked_tokens_are_inert() -> None:
    encoder = UserVideoEncoder(d=8, heads=2, layers=2, dropout=0.0).eval()
    user, video = _tokens(1, 5, 8), _tokens(1, 4, 8, seed=1)
    user_mask = torch.tensor([[False, False, True, True, True]])
    video_mask = torch.tensor([[True, True, True, False]])
    whole = encoder(user, user_mask, video, video_mask)[0, :3]
    alone = encoder(user[:, 2:], user_mask[:, 2:], video[:, :3], video_mask[:, :3])[0]
    torch.testing.assert_close(whole, alone)
    changed = encoder(torch.where(user_mask[..., None], user, 99.0), user_mask, video, video_mask)[0, :3]
    torch.testing.assert_close(whole, changed)


def test_no_history_at_all_is_finite() -> None:
    encoder = UserVideoEncoder(d=8, heads=2, layers=2, dropout=0.0).eval()
    nobody = torch.zeros(1, 5, dtype=torch.bool)
    latent = encoder(_tokens(1, 5, 8), nobody, _tokens(1, 3, 8), torch.ones(1, 3, dtype=torch.bool))
    assert torch.isfinite(latent).all()


def test_the_last_layer_decides() -> None:
    encoder = UserVideoEncoder(d=8, heads=2, layers=3, dropout=0.0).eval()
    inputs = (
        _tokens(1, 2, 8),
        torch.ones(1, 2, dtype=torch.bool),
        _tokens(1, 3, 8),
        torch.ones(1, 3, dtype=torch.bool),
    )
    before = encoder(*inputs)
    with torch.no_grad():
        encoder.layers[-1].video.feed_norm.bias += 1.0
    torch.testing.assert_close(encoder(*inputs), before + 1.0)
    encoder(*inputs).sum().backward()
    assert all(p.grad is not None for p in encoder.layers[-1].video.parameters())


def test_dropout_never_reaches_attention_weights() -> None:
    """In training, too, a masked key gets no attention at all."""
    attention = CrossAttention(d=4, heads=1).train()
    x, y = _tokens(1, 2, 4), _tokens(1, 2, 4, seed=1)
    mask_x, mask_y = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]])
    changed = y.clone()
    changed[0, 1] = 50.0
    torch.testing.assert_close(attention(x, mask_x, y, mask_y), attention(x, mask_x, changed, mask_y))


@pytest.mark.parametrize("bounded", [True, False])
def test_bilinear_fusion_by_hand(bounded: bool) -> None:
    """Two modalities, d = 2, K = 2 heads of one dimension: every product written out."""
    fusion = BilinearFusion(modalities=2, d=2, heads=2, bounded=bounded)
    with torch.no_grad():
        fusion.bias.fill_(0.1)
        fusion.linear.copy_(torch.tensor([[1.0, -1.0], [0.5, 2.0]]))
        fusion.bilinear.copy_(torch.tensor([[[[3.0]], [[-2.0]]]]))
    x, y = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[-1.0, 0.5]]])
    total = 0.1 + (1 * 1 - 1 * 2) + (0.5 * -1 + 2 * 0.5) + 3 * (1 * -1) - 2 * (2 * 0.5)
    assert fusion([x, y]).item() == pytest.approx(1 / (1 + math.exp(-total)) if bounded else total)


def test_three_modalities_have_three_pairs() -> None:
    assert BilinearFusion(modalities=3, d=4, heads=2).bilinear.shape == (3, 2, 2, 2)


def test_position_bias_starts_at_nothing_and_is_outside_the_sigma() -> None:
    bias = PositionBias(5)
    assert bias(4).abs().sum() == 0
    decoder = SegmentInterestDecoder(1, 4, 2, 5, bounded=True)
    with torch.no_grad():
        decoder.position.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
        decoder.position.bias.fill_(0.5)
    latent = [_tokens(1, 3, 4)]
    expected = decoder.fusion(latent) + torch.tensor([1 * 1 + 0.5, 2 * 2 + 0.5, 3 * 3 + 0.5])
    torch.testing.assert_close(decoder(latent, use_position=True), expected)
    torch.testing.assert_close(decoder(latent, use_position=False), decoder.fusion(latent))


def test_intra_video_loss_by_hand() -> None:
    """View 0: N = 2, left in segment 0, live slots 0, 1, 2. View 1: N = 1, completed. Padding must not count."""
    score = torch.tensor([[0.2, 0.5, 1.0, 7.0], [0.3, -0.1, 7.0, 7.0]])

    def term(other: float, exit_: float) -> float:
        return math.log1p(math.exp(-(other - exit_)))

    expected = (term(0.5, 0.2) + term(1.0, 0.2) + term(0.3, -0.1)) / 2
    loss = intra_video_loss(score, torch.tensor([2, 1]), torch.tensor([0, 1]), max_segments=40)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_completed_views_of_the_longest_videos_do_not_count() -> None:
    score = torch.tensor([[0.2, 0.5, 1.0]])
    assert intra_video_loss(score, torch.tensor([2]), torch.tensor([2]), max_segments=2).item() == 0
    only_segments = intra_video_loss(score, torch.tensor([2]), torch.tensor([0]), max_segments=2).item()
    assert only_segments == pytest.approx(math.log1p(math.exp(-0.3)), rel=1e-5)


def test_intra_video_loss_pushes_hardest_on_the_wrong_slot() -> None:
    """The slot that wrongly scores below the exit gets most of the gradient."""
    score = torch.tensor([[0.0, -3.0, 3.0, 3.0]], requires_grad=True)
    intra_video_loss(score, torch.tensor([3]), torch.tensor([0]), max_segments=40).backward()
    assert score.grad is not None
    pull = score.grad[0, 1:].abs()
    assert pull[0] / pull.sum() > 0.8


def test_watched_loss_by_hand() -> None:
    """Watched 1, left 0, never reached left out; the end slot is 1 unless the view was completed."""
    score = torch.tensor([[2.0, -1.0, 9.0, 0.5], [0.3, 0.7, 9.0, 9.0]])

    def stays(x: float) -> float:
        return math.log1p(math.exp(-x))

    expected = (stays(2.0) + stays(1.0) + stays(0.5) + stays(0.3) + stays(-0.7)) / 5
    loss = watched_loss(score, torch.tensor([3, 1]), torch.tensor([1, 1]), max_segments=40)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    # Without an end slot, as in the longest videos, only the two reached segments count.
    only = watched_loss(score[:1], torch.tensor([3]), torch.tensor([1]), max_segments=3)
    assert only.item() == pytest.approx((stays(2.0) + stays(1.0)) / 2, rel=1e-5)


def test_hazard_loss_is_the_likelihood_of_the_exit() -> None:
    logit = torch.tensor([[0.3, -0.4, 5.0], [-1.0, 0.2, 5.0]])
    h = torch.sigmoid(logit)
    expected = -(torch.log(1 - h[0, 0]) + torch.log(h[0, 1]) + torch.log(1 - h[1, 0]) + torch.log(1 - h[1, 1])) / 2
    got = hazard_loss(logit, torch.tensor([2, 2]), torch.tensor([1, 2]))
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)
    assert np.isfinite(hazard_loss(logit * 1e4, torch.tensor([2, 2]), torch.tensor([1, 2])).item())
