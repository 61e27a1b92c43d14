"""The defining part of each system that learns from content."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.items import all_items
from segmodel.models.baselines.multimodal.bm3 import BM3Config, BM3Network, distance
from segmodel.models.baselines.multimodal.content import MultimodalConfig
from segmodel.models.baselines.multimodal.freedom import FREEDOMConfig, FREEDOMNetwork, item_graph, nearest
from segmodel.models.baselines.multimodal.slmrec import SLMRecConfig, SLMRecNetwork

SIZES = Sizes(users=4, videos=5, slots=6, dims={"visual": 3})

ARRAYS: Arrays = {
    "item_video": np.array([1, 1, 2]),
    "item_segment": np.array([0, 1, 0]),
    "edge_user": np.array([1, 1, 2, 2]),
    "edge_item": np.array([0, 1, 1, 2]),
    "content.visual": np.array([[1, 0, 0], [0.9, 0.1, 0.1], [0, 0, 1]], dtype=np.float16),
    "valid.visual": np.array([True, True, True]),
}

CONTENT = torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0.1, 0.9], [0.5, 0.5, 0], [1.0, 0, 0]])
"""Row 0 is "no content"; a batch of one view of two segments and one of two uses rows 1 to 4."""


@pytest.fixture
def batch(make_batch: Callable[..., Batch]) -> Batch:
    return make_batch([1, 2], [1, 4], [2, 2], content={"visual": CONTENT})


def test_nearest_by_cosine() -> None:
    rows = torch.tensor([[2.0, 0.0], [5.0, 1.0], [0.0, 1.0], [7.0, 7.0]])
    valid = torch.tensor([True, True, True, False])
    found = nearest(rows, valid, rows, valid, 2, others=True)
    assert found.tolist() == [[1, 2], [0, 2], [1, 0], [-1, -1]]
    other = nearest(torch.tensor([[0.0, 9.0]]), valid[:1], rows, valid, 2, others=False)
    assert other.tolist() == [[2, 1]]
    # Without being told otherwise, a row is its own nearest.
    itself = nearest(rows, valid, rows, valid, 1, others=False)
    assert itself[:3, 0].tolist() == [0, 1, 2]


def test_item_graph_by_hand() -> None:
    found = item_graph(torch.tensor([[0, 1], [1, 2], [2, 1]])).to_dense()
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]))
    found = item_graph(torch.tensor([[1], [2], [1]]), in_degree=True).to_dense()
    # Rows have one neighbour each; item 1 is a neighbour twice.
    expected = torch.tensor([[0, 2**-0.5, 0], [0, 0, 1.0], [0, 2**-0.5, 0]])
    torch.testing.assert_close(found, expected)


def test_freedom_freezes_the_item_graph_and_propagates_it(batch: Batch) -> None:
    torch.manual_seed(0)
    network = FREEDOMNetwork(FREEDOMConfig(d=4, layers=1, neighbours=1, item_graph="others"), SIZES, ARRAYS).eval()
    assert "similar" not in network.state_dict()
    assert not network.similar.requires_grad
    # Items 0 and 1 are each other's nearest, item 2's is item 1.
    assert (network.similar.to_dense() > 0).tolist() == [
        [False, True, False],
        [True, False, False],
        [False, True, False],
    ]
    items = all_items(batch.segments)
    user, item = network.vectors(batch, items)
    _, nodes = network.embed.layer_zero()
    graph_user, graph_item = network.embed(batch, items)
    torch.testing.assert_close(user, graph_user)
    torch.testing.assert_close(item[0] - graph_item[0], nodes[1] / 2**0.5)
    # Cold items: content (0.5, 0.5, 0) is nearest to item 1, (1, 0, 0) to item 0; the end slot has no content.
    torch.testing.assert_close(item[3] - graph_item[3], nodes[1])
    torch.testing.assert_close(item[4] - graph_item[4], nodes[0])
    torch.testing.assert_close(item[5], graph_item[5])


def test_freedom_prunes_edges_of_busy_nodes() -> None:
    arrays = {
        **ARRAYS,
        # User 1 watched everything, user 2 only item 2.
        "edge_user": np.array([1, 1, 1, 2]),
        "edge_item": np.array([0, 1, 2, 2]),
    }
    network = FREEDOMNetwork(FREEDOMConfig(d=4, pruned=0.75), SIZES, arrays)
    torch.testing.assert_close(network.edge_weight, torch.tensor([3.0, 3.0, 6.0, 2.0]).rsqrt())
    torch.manual_seed(0)
    kept = torch.zeros(4)
    for _ in range(400):
        sample = network.pruned().to_dense()[: SIZES.users, SIZES.users :]
        assert int((sample > 0).sum()) == 1
        # One edge alone is normalised to 1.
        assert sample.max().item() == pytest.approx(1.0)
        kept += torch.tensor([sample[1, 0], sample[1, 1], sample[1, 2], sample[2, 2]])
    assert kept[3] > kept[0] > kept[2]
    network.eval()
    assert int((network.embed.graph.adjacency.to_dense() > 0).sum()) == 2 * 4


def test_bm3_targets_take_no_gradient() -> None:
    online, target = torch.randn(3, 2, requires_grad=True), torch.randn(3, 2, requires_grad=True)
    distance(online, target).backward()
    assert online.grad is not None
    assert target.grad is None
    assert distance(online, 5 * online).item() == pytest.approx(0.0, abs=1e-6)
    assert distance(online, -online).item() == pytest.approx(2.0, abs=1e-6)


def test_bm3_learns_without_negatives(batch: Batch) -> None:
    torch.manual_seed(0)
    network = BM3Network(BM3Config(d=4, layers=0), SIZES, ARRAYS)
    items = all_items(batch.segments)
    network.loss(batch, items, (items.segment == 0).float()).backward()
    position = network.embed.segment.position.weight.grad
    assert position is not None
    assert position[0].abs().sum() > 0
    assert not position[1:].any()


def test_bm3_loss_by_hand(batch: Batch) -> None:
    torch.manual_seed(0)
    network = BM3Network(BM3Config(d=4, target_dropout=0.0), SIZES, ARRAYS)
    items = all_items(batch.segments)
    watched = items.take(items.segment == 0)
    user, item = network.vectors(batch, watched)
    rec = distance(network.predictor(user), item) + distance(network.predictor(item), user)
    content = network.project["visual"](CONTENT[[1, 3]], torch.tensor([True, True]))
    online = network.predictor(content)
    expected = rec + distance(online, item) + distance(online, content)
    torch.testing.assert_close(network.loss(batch, items, (items.segment == 0).float()), expected)


def test_bm3_content_stands_in_for_cold_items(batch: Batch) -> None:
    torch.manual_seed(0)
    network = BM3Network(BM3Config(d=4), SIZES, ARRAYS).eval()
    _, item = network.vectors(batch, all_items(batch.segments))
    content = network.project["visual"](CONTENT[3:4], torch.tensor([True]))[0]
    torch.testing.assert_close(item[3], content + network.embed.segment.position.weight[0])


def test_slmrec_has_a_graph_per_modality(batch: Batch) -> None:
    torch.manual_seed(0)
    network = SLMRecNetwork(SLMRecConfig(d=4, layers=1), SIZES, ARRAYS).eval()
    items = all_items(batch.segments)
    users, nodes = network.embed.layer_zero()
    content = network.project["visual"](torch.tensor(ARRAYS["content.visual"]).float(), torch.ones(3).bool())
    spaces = [network.embed.graph.propagate(users, n, 1) for n in (nodes, content)]
    user, item = network.vectors(batch, items)
    torch.testing.assert_close(user[0], network.fuse_user(torch.cat([s[0][1] for s in spaces])))
    torch.testing.assert_close(item[1], network.fuse_item(torch.cat([s[1][1] for s in spaces])))


def test_slmrec_masks_a_whole_modality(batch: Batch) -> None:
    torch.manual_seed(0)
    network = SLMRecNetwork(SLMRecConfig(d=4), SIZES, ARRAYS).eval()
    items = all_items(batch.segments)
    _, masked = network.vectors(batch, items, masked="visual")
    with torch.no_grad():
        network.project["visual"].project.weight += 1.0
    _, again = network.vectors(batch, items, masked="visual")
    _, whole = network.vectors(batch, items)
    torch.testing.assert_close(masked, again)
    assert not torch.allclose(whole, again)


@pytest.mark.parametrize("task", ["fac", "masking"])
def test_slmrec_contrast_is_added(batch: Batch, task: str) -> None:
    items = all_items(batch.segments)
    label = (items.segment != 0).float()
    losses = []
    for weight in (0.0, 1.0, 2.0):
        torch.manual_seed(0)
        config = SLMRecConfig(d=4, contrast=weight, task=task, feature_dropout=0.0)
        network = SLMRecNetwork(config, SIZES, ARRAYS)
        torch.manual_seed(1)
        losses.append(network.loss(batch, items, label))
    assert losses[1] > losses[0]
    torch.testing.assert_close(losses[2] - losses[1], losses[1] - losses[0])


def test_unknown_modalities_are_refused() -> None:
    with pytest.raises(ValueError, match="smell"):
        MultimodalConfig(modalities=("visual", "smell"))
