"""Items, their labels, and the losses on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from segmodel.data.batch import Batch
from segmodel.models.baselines.embeddings import IdEmbedding, SegmentEmbedding, Sizes
from segmodel.models.baselines.items import Items, all_items, labelled_items, one_watched_each
from segmodel.models.baselines.objectives import info_nce, pairwise_loss, pointwise_loss


def test_all_items_are_the_segments_and_the_end_slot() -> None:
    items = all_items(torch.tensor([2, 1]))
    assert items.view.tolist() == [0, 0, 0, 1, 1]
    assert items.segment.tolist() == [0, 1, 2, 0, 1]
    assert all_items(torch.tensor([2, 1]), end=False).segment.tolist() == [0, 1, 0]
    table = items.table(torch.arange(5.0), 2, 4)
    assert table.tolist() == [[0, 1, 2, 0], [3, 4, 0, 0]]


def test_labels_by_hand(make_batch: Callable[..., Batch]) -> None:
    # Left in segment 1 of 3; completed 2; left at once of 2; completed the longest video there is.
    batch = make_batch([1, 1, 1, 1], [1, 2, 3, 4], [3, 2, 2, 4], [1, 2, 0, 4])

    def labels(end_stayed: bool) -> list[dict[int, float]]:
        items, label = labelled_items(batch, 4, end_stayed)
        columns = (items.view.tolist(), items.segment.tolist(), label.tolist())
        return [{s: y for v, s, y in zip(*columns, strict=True) if v == k} for k in range(4)]

    # Nothing that was not reached has a label, the end slot included.
    assert labels(end_stayed=False) == [{0: 1, 1: 0}, {0: 1, 1: 1, 2: 0}, {0: 0}, {0: 1, 1: 1, 2: 1, 3: 1}]
    assert labels(end_stayed=True) == [
        {0: 1, 1: 0, 3: 1},
        {0: 1, 1: 1, 2: 0},
        {0: 0, 2: 1},
        {0: 1, 1: 1, 2: 1, 3: 1},
    ]


def test_the_end_slot_may_have_a_place_of_its_own(sizes: Sizes, make_batch: Callable[..., Batch]) -> None:
    batch = make_batch([1, 1], [1, 1], [2, 3])
    shared = all_items(batch.segments)
    own = shared.with_end_at(5, batch.segments)
    assert shared.place.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert own.place.tolist() == [0, 1, 5, 0, 1, 2, 5]
    assert own.segment.tolist() == shared.segment.tolist()
    assert own.take(own.segment == 2).place.tolist() == [5, 2]
    embed = SegmentEmbedding(sizes, 3)
    vectors = embed.targets(batch, own)
    # Completing a video of two segments is what completing one of three is, and not a third segment.
    torch.testing.assert_close(vectors[2], vectors[6])
    assert not torch.allclose(vectors[2], vectors[5])
    torch.testing.assert_close(embed.targets(batch, shared)[2], vectors[5])


def test_pairwise_loss_by_hand() -> None:
    items = Items(torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 2, 0, 1]))
    label = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])
    score = torch.tensor([2.0, 1.0, 0.0, 9.0, -9.0])
    # View 0: pairs 2 - 1 and 0 - 1; view 1 has nothing it was left in.
    expected = (torch.log1p(torch.tensor(-1.0).exp()) + torch.log1p(torch.tensor(1.0).exp())) / 2
    assert pairwise_loss(score, label, items, 2).item() == pytest.approx(expected.item())
    assert pairwise_loss(score[3:], label[3:], Items(items.view[3:], items.segment[3:]), 2).item() == 0.0


def test_pairwise_loss_pushes_the_left_item_down() -> None:
    score = torch.zeros(3, requires_grad=True)
    items = Items(torch.zeros(3, dtype=torch.int64), torch.arange(3))
    pairwise_loss(score, torch.tensor([1.0, 0.0, 1.0]), items, 1).backward()
    assert score.grad is not None
    assert score.grad[1] > 0 > score.grad[0]
    assert score.grad.sum().item() == pytest.approx(0.0, abs=1e-7)


def test_pointwise_loss_by_hand() -> None:
    loss = pointwise_loss(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx((0.693147 + 2.126928) / 2, abs=1e-5)


def test_info_nce_is_least_for_matching_rows() -> None:
    rows = torch.eye(3)
    assert info_nce(rows, rows, 0.1) < 1e-3
    assert info_nce(rows, rows.roll(1, 0), 0.1) > 5
    # Equal rows cannot be told apart: ln 3.
    assert info_nce(torch.ones(3, 2), torch.ones(3, 2), 0.5).item() == pytest.approx(1.0986, abs=1e-4)


def test_one_watched_item_of_each_view() -> None:
    items = Items(torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 1, 2, 0, 0, 1]))
    label = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    drawn = set()
    for seed in range(20):
        torch.manual_seed(seed)
        rows = one_watched_each(items, label, 3)
        assert items.view[rows].tolist() == [0, 2]
        assert label[rows].tolist() == [1, 1]
        drawn.add(int(rows[0]))
    assert drawn == {0, 1}


def test_unknown_ids_are_the_average_one() -> None:
    torch.manual_seed(0)
    embed = IdEmbedding(3, 4)
    torch.testing.assert_close(embed(torch.tensor([0])), embed.shared[None])
    # Learning about id 1 moves what all share, never the unknown id's own vector.
    embed(torch.tensor([0, 1])).sum().backward()
    assert embed.own.weight.grad is not None
    assert not embed.own.weight.grad[0].any()
    assert embed.own.weight.grad[1].all()


def test_a_segment_is_video_plus_position(sizes: Sizes) -> None:
    embed = SegmentEmbedding(sizes, 3)
    a = embed(torch.tensor([1, 1, 2, 2]), torch.tensor([0, 4, 0, 4]))
    torch.testing.assert_close(a[1] - a[0], a[3] - a[2])
    assert not torch.allclose(a[0], a[2])
