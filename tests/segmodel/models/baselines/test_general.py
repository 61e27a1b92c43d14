"""The defining part of each system that learns from ids alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from segfeat.interactions import Interactions
from segmodel.data.batch import Batch
from segmodel.data.dataset import make_dataset
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.general.caser import CaserConfig, CaserNetwork
from segmodel.models.baselines.general.directau import DirectAUConfig, DirectAUNetwork, alignment, uniformity
from segmodel.models.baselines.general.lightgcn import LightGCNConfig, LightGCNNetwork
from segmodel.models.baselines.general.sasrec import SASRecConfig, SASRecNetwork
from segmodel.models.baselines.graph import WatchedGraph, watched_graph
from segmodel.models.baselines.items import all_items

GRAPH: Arrays = {
    # Items: (video 1, segment 0), (video 1, segment 1), (video 2, segment 0).
    "item_video": np.array([1, 1, 2]),
    "item_segment": np.array([0, 1, 0]),
    # User 1 watched items 0 and 1, user 2 items 1 and 2.
    "edge_user": np.array([1, 1, 2, 2]),
    "edge_item": np.array([0, 1, 1, 2]),
}


def test_the_graph_holds_what_was_watched_to_the_end(make_log: Callable[..., Interactions]) -> None:
    data = make_dataset(
        make_log(
            ("a", "x", 0, 12_000, 30_000),  # left in segment 2: watched 0 and 1
            ("a", "y", 1, 9_000, 9_000),  # completed: watched 0 and 1
            ("b", "x", 0, 3_000, 30_000),  # left at once
            ("b", "y", 1, 6_000, 9_000),  # left in segment 1: watched 0
            ("a", "x", 2, 30_000, 30_000),  # not a training view
        )
    )
    views = data.views
    users, videos = Vocabulary.of(views.user_ids, views.user), Vocabulary.of(views.video_ids, views.video)
    rows = np.flatnonzero(views.time_ms < 2)
    found = watched_graph(data, rows, users, videos)
    pairs = {
        (users.ids[u - 1], videos.ids[found["item_video"][i] - 1], int(found["item_segment"][i]))
        for u, i in zip(found["edge_user"], found["edge_item"], strict=True)
    }
    assert pairs == {("a", "x", 0), ("a", "x", 1), ("a", "y", 0), ("a", "y", 1), ("b", "y", 0)}
    assert len(found["edge_user"]) == 5
    assert len(found["item_video"]) == 4


def test_propagation_on_a_2_by_3_graph(sizes: Sizes) -> None:
    graph = WatchedGraph(sizes, GRAPH)
    users, items = torch.tensor([[7.0], [1.0], [2.0], [5.0]]), torch.tensor([[3.0], [4.0], [6.0]])
    # Users have 2 edges each, items 1, 2 and 1.
    one_edge, two_edges = 1 / math.sqrt(2 * 1), 1 / math.sqrt(2 * 2)
    first_user = [0.0, 3 * one_edge + 4 * two_edges, 4 * two_edges + 6 * one_edge, 0.0]
    first_item = [1 * one_edge, (1 + 2) * two_edges, 2 * one_edge]
    found_users, found_items = graph.propagate(users, items, 1)
    torch.testing.assert_close(found_users[:, 0], (users[:, 0] + torch.tensor(first_user)) / 2)
    torch.testing.assert_close(found_items[:, 0], (items[:, 0] + torch.tensor(first_item)) / 2)
    # Two layers: the second starts from the first, not from the mean.
    second_item = [first_user[1] * one_edge, (first_user[1] + first_user[2]) * two_edges, first_user[2] * one_edge]
    _, found_items = graph.propagate(users, items, 2)
    expected = (items[:, 0] + torch.tensor(first_item) + torch.tensor(second_item)) / 3
    torch.testing.assert_close(found_items[:, 0], expected)


def test_lightgcn_scores_by_propagated_vectors(sizes: Sizes, make_batch: Callable[..., Batch]) -> None:
    torch.manual_seed(0)
    network = LightGCNNetwork(LightGCNConfig(d=4, layers=2), sizes, GRAPH)
    batch = make_batch([1, 1, 0], [1, 0, 0], [2, 2, 1])
    items = all_items(batch.segments)
    users, nodes = network.embed.graph.propagate(*network.embed.layer_zero(), 2)
    found = network(batch, items)
    torch.testing.assert_close(found[0], users[1] @ nodes[0])
    torch.testing.assert_close(found[1], users[1] @ nodes[1])
    # Slot 2 of video 1, and everything of an unknown video, are nodes without edges.
    alone = network.embed.segment(torch.tensor([1, 0]), torch.tensor([2, 0])) / 3
    torch.testing.assert_close(found[2], users[1] @ alone[0])
    torch.testing.assert_close(found[3], users[1] @ alone[1])


def test_alignment_and_uniformity_by_hand() -> None:
    x, y = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[0.0, 1.0], [0.0, 5.0]])
    # Right angles are sqrt(2) apart on the sphere, equal directions 0.
    assert alignment(x, y).item() == pytest.approx((2.0 + 0.0) / 2)
    square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    # Four pairs at squared distance 2, two at 4.
    expected = math.log((4 * math.exp(-4) + 2 * math.exp(-8)) / 6)
    assert uniformity(square * 9).item() == pytest.approx(expected, abs=1e-5)
    assert uniformity(torch.ones(3, 2)).item() == pytest.approx(0.0, abs=1e-5)


def test_directau_needs_no_segment_that_was_left(sizes: Sizes, make_batch: Callable[..., Batch]) -> None:
    network = DirectAUNetwork(DirectAUConfig(d=4, layers=0), sizes, GRAPH)
    batch = make_batch([1, 2, 3], [1, 2, 3], [2, 2, 2])
    items = all_items(batch.segments)
    watched = items.segment == 0
    torch.manual_seed(0)
    network.loss(batch, items, watched.float()).backward()
    gradient = network.embed.segment.position.weight.grad
    assert gradient is not None
    assert gradient[0].abs().sum() > 0
    assert not gradient[1:].any()


def test_directau_scores_are_dot_products_or_cosines(sizes: Sizes, make_batch: Callable[..., Batch]) -> None:
    torch.manual_seed(0)
    dots = DirectAUNetwork(DirectAUConfig(d=4), sizes, GRAPH)
    batch = make_batch([1], [1], [3])
    user, item = dots.embed(batch, all_items(batch.segments))
    torch.testing.assert_close(dots(batch, all_items(batch.segments)), (user * item).sum(dim=1))
    network = DirectAUNetwork(DirectAUConfig(d=4, score="cosine"), sizes, GRAPH)
    batch = make_batch([1], [1], [3])
    before = network(batch, all_items(batch.segments))
    assert before.abs().max() <= 1
    with torch.no_grad():
        for parameter in network.embed.parameters():
            parameter *= 3
    torch.testing.assert_close(network(batch, all_items(batch.segments)), before)


def test_caser_convolutions_by_hand(sizes: Sizes) -> None:
    network = CaserNetwork(CaserConfig(d=2, history=3, heights=(2,), horizontal=1, vertical=1), sizes)
    (horizontal,) = network.horizontal
    with torch.no_grad():
        horizontal.weight.copy_(torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]))
        horizontal.bias.zero_()
        network.vertical.weight.copy_(torch.tensor([[[[1.0], [10.0], [100.0]]]]))
        network.vertical.bias.zero_()
    image = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    # Horizontal windows: 1 + 4 = 5 and 3 + 6 = 9, max 9; vertical: a weighted sum of the rows.
    assert network.convolutions(image)[0].tolist() == [9.0, 531.0, 642.0]


def test_caser_reads_order(sizes: Sizes, make_batch: Callable[..., Batch]) -> None:
    torch.manual_seed(0)
    network = CaserNetwork(CaserConfig(d=4, history=4, heights=(1, 2)), sizes).eval()
    forth = make_batch([1], [1], [2], histories=[[(1, 0), (2, 1), (3, 0)]])
    back = make_batch([1], [1], [2], histories=[[(3, 0), (2, 1), (1, 0)]])
    items = all_items(forth.segments)
    assert not torch.allclose(network(forth, items), network(back, items))


def test_caser_refuses_filters_taller_than_the_image() -> None:
    with pytest.raises(ValueError, match="heights"):
        CaserConfig(history=3, heights=(1, 4))


def test_sasrec_future_tokens_are_inert(sizes: Sizes) -> None:
    torch.manual_seed(0)
    network = SASRecNetwork(SASRecConfig(d=8, heads=2, history=6), sizes).eval()
    tokens, mask = torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool)
    mask[1, :2] = False
    before = network.encode(tokens, mask)
    changed = tokens.clone()
    changed[:, 4:] += torch.randn(2, 2, 8)
    after = network.encode(changed, mask)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])
    # The past is not inert.
    changed = tokens.clone()
    changed[:, 2] += torch.randn(2, 8)
    assert not torch.allclose(network.encode(changed, mask)[:, -1], before[:, -1])


def test_sasrec_padding_is_inert(sizes: Sizes) -> None:
    torch.manual_seed(0)
    network = SASRecNetwork(SASRecConfig(d=8, heads=2, history=6), sizes).eval()
    tokens, mask = torch.randn(1, 6, 8), torch.tensor([[False, False, False, True, True, True]])
    other = tokens.clone()
    other[:, :3] = 99.0
    torch.testing.assert_close(network.encode(other, mask)[:, 3:], network.encode(tokens, mask)[:, 3:])
