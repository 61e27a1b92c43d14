"""Each system's defining computation against a few lines of numpy, written from the equations of its paper.

Nothing of the systems is called by the references: weights are read out of the networks, everything else is computed
anew.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from segmodel.data.batch import Batch
from segmodel.models.base import Arrays
from segmodel.models.baselines.context.adagin import FeatureGraphLayer
from segmodel.models.baselines.context.can import CoActionUnit
from segmodel.models.baselines.context.dcnv2 import CrossLayers
from segmodel.models.baselines.context.dien import AttentionalGRU
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.general.directau import alignment, uniformity
from segmodel.models.baselines.general.lightgcn import LightGCNConfig, LightGCNNetwork
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.multimodal.freedom import FREEDOMConfig, FREEDOMNetwork
from segmodel.models.baselines.multimodal.slmrec import FineAndCoarse, SLMRecConfig, SLMRecNetwork

Array = npt.NDArray[np.float64]

# Users 1 and 2 (and the unknown 0); items (1, 0), (1, 1), (2, 0): with the two users a graph of five nodes.
EDGES = ((1, 0), (1, 1), (2, 1), (2, 2))

ARRAYS: Arrays = {
    "item_video": np.array([1, 1, 2]),
    "item_segment": np.array([0, 1, 0]),
    "edge_user": np.array([u for u, _ in EDGES]),
    "edge_item": np.array([i for _, i in EDGES]),
    "content.visual": np.array([[1, 0, 0], [0.9, 0.3, 0.1], [0, 0.2, 1]], dtype=np.float16),
    "valid.visual": np.array([True, True, True]),
    "content.text": np.array([[0, 1], [1, 1], [1, 0]], dtype=np.float16),
    "valid.text": np.array([True, True, True]),
}

SIZES = Sizes(users=3, videos=3, slots=4, dims={"visual": 3, "text": 2})


def _numpy(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


def _close(found: torch.Tensor, expected: Array | float) -> None:
    np.testing.assert_allclose(_numpy(found), expected, rtol=1e-5, atol=1e-6)


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _propagated(users: Array, items: Array, layers: int) -> tuple[Array, Array]:
    """LightGCN: mean of layers 0 .. K of D^-1/2 A D^-1/2 E, dense."""
    size = len(users) + len(items)
    adjacency = np.zeros((size, size))
    for user, item in EDGES:
        adjacency[user, len(users) + item] = adjacency[len(users) + item, user] = 1.0
    degree = adjacency.sum(axis=1)
    scale = np.divide(1.0, np.sqrt(degree), out=np.zeros(size), where=degree > 0)
    step = scale[:, None] * adjacency * scale[None, :]
    layer = np.concatenate([users, items])
    mean = sum(np.linalg.matrix_power(step, k) @ layer for k in range(layers + 1)) / (layers + 1)
    return mean[: len(users)], mean[len(users) :]


def _info_nce(one: Array, other: Array, temperature: float) -> float:
    """- mean_i ln softmax_j(one_i · other_j / temperature)_i."""
    likeness = one @ other.T / temperature
    return float(np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(likeness)]))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_lightgcn_on_five_nodes(make_batch: Callable[..., Batch]) -> None:
    network = LightGCNNetwork(LightGCNConfig(d=4, layers=3), SIZES, ARRAYS).eval()
    embed = network.embed
    users = _numpy(embed.user.shared + embed.user.own.weight)
    video = _numpy(embed.segment.video.shared + embed.segment.video.own.weight)
    position = _numpy(embed.segment.position.weight)
    items = np.stack([video[1] + position[0], video[1] + position[1], video[2] + position[0]])
    user, item = _propagated(users, items, 3)
    batch = make_batch([1, 2], [1, 2], [2, 1])
    asked = Items(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]))
    _close(network(batch, asked), np.array([user[1] @ item[0], user[1] @ item[1], user[2] @ item[2]]))


def test_directau_alignment_and_uniformity() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    distance = np.linalg.norm(_unit(x) - _unit(y), axis=1)
    _close(alignment(torch.from_numpy(x), torch.from_numpy(y)), float((distance**2).mean()))
    pairs = [np.exp(-2 * np.linalg.norm(_unit(x)[i] - _unit(x)[j]) ** 2) for i in range(6) for j in range(6) if i != j]
    _close(uniformity(torch.from_numpy(x)), float(np.log(np.mean(pairs))))


def test_augru_on_three_steps() -> None:
    cell, d = AttentionalGRU(2, 3), 3
    steps, attention = torch.randn(1, 3, 2), torch.tensor([[0.2, 0.7, 0.1]])
    w, u = _numpy(cell.input.weight), _numpy(cell.state.weight)
    b, c = _numpy(cell.input.bias), _numpy(cell.state.bias)
    state = np.zeros(d)
    for x, a in zip(_numpy(steps[0]), _numpy(attention[0]), strict=True):
        inner, outer = w @ x + b, u @ state + c
        update = 1 / (1 + np.exp(-(inner[:d] + outer[:d])))
        reset = 1 / (1 + np.exp(-(inner[d : 2 * d] + outer[d : 2 * d])))
        new = np.tanh(inner[2 * d :] + reset * outer[2 * d :])
        state = (1 - a * update) * state + a * update * new
    _close(cell(steps, attention)[0], state)


def test_cross_network() -> None:
    cross = CrossLayers(4, 3)
    x0 = torch.randn(2, 4)
    for row, found in zip(_numpy(x0), cross(x0), strict=True):
        x = row
        for linear in cross.linear:
            x = row * (_numpy(linear.weight) @ x + _numpy(linear.bias)) + x
        _close(found, x)


@pytest.mark.parametrize("summed", [False, True])
def test_co_action(summed: bool) -> None:
    """tanh on all but the last layer, all layers joined, orders side by side; or tanh throughout, orders added."""
    unit = CoActionUnit((3, 2, 2), orders=2, summed=summed)
    target, feed = torch.randn(unit.target_width), torch.randn(3)
    weights = _numpy(target)
    first, second = weights[:6].reshape(3, 2), weights[8:12].reshape(2, 2)
    joined = []
    for order in (1, 2):
        h = np.tanh(_numpy(feed) ** order @ first + weights[6:8])
        last = h @ second + weights[12:14]
        joined.append(np.concatenate([h, np.tanh(last) if summed else last]))
    expected = joined[0] + joined[1] if summed else np.concatenate(joined)
    assert unit.output_width == len(expected)
    _close(unit(target[None], feed[None, None])[0, 0], expected)


@pytest.mark.parametrize("edges", ["positive", "fair-share"])
def test_adagin_edges(edges: str) -> None:
    """Kept where the weight of the softmax over fields is above 0 in single precision, or at least 1 / F; and loops."""
    layer = FeatureGraphLayer(4, 3, edge_temperature=0.01, node_temperature=1.0, edges=edges).eval()
    with torch.no_grad():
        layer.edge.weight *= 2
    e = torch.randn(5, 4, 3)
    w = layer.edge.weight.detach().numpy()[0]
    found = layer.adjacency(e).detach().numpy()
    for sample, adjacency in zip(e.numpy(), found, strict=True):
        logit = np.array([[w[:3] @ a + w[3:] @ b for b in sample] for a in sample])
        logit = np.where(logit > 0, logit, 0.01 * logit) / 0.01
        soft = np.exp(logit - logit.max(axis=1, keepdims=True))
        soft = soft / soft.sum(axis=1, keepdims=True)
        # Whatever is below the smallest single-precision number is 0 there.
        kept = soft > np.finfo(np.float32).smallest_subnormal if edges == "positive" else soft >= 1 / 4
        np.testing.assert_array_equal(adjacency.round(6), kept | np.eye(4, dtype=bool))
    off_diagonal = (found.sum() - 20) / (5 * 12)
    assert off_diagonal > 0.5 if edges == "positive" else off_diagonal < 0.34


def _content(batch: Batch) -> None:
    """Row 0 of a batch's content is "no content"; its real segments are (1, 0), (1, 1) and (2, 0), as in the graph."""
    assert batch.segment_row.tolist() == [[1, 2], [3, 0]]


@pytest.fixture
def batch(make_batch: Callable[..., Batch]) -> Batch:
    """User 1 on video 1, user 2 on video 2, with the content that the graph's items have."""
    content = {
        m: torch.cat([torch.zeros(1, dim), torch.from_numpy(ARRAYS[f"content.{m}"]).float()])
        for m, dim in SIZES.dims.items()
    }
    made = make_batch([1, 2], [1, 2], [2, 1], content=content)
    _content(made)
    return made


def _projected(network: SLMRecNetwork, modality: str) -> Array:
    values = ARRAYS[f"content.{modality}"].astype(np.float64)
    normal = (values - values.mean(axis=1, keepdims=True)) / np.sqrt(values.var(axis=1, keepdims=True) + 1e-5)
    project = network.project[modality].get_submodule("project")
    return normal @ _numpy(project.weight).T + _numpy(project.bias)  # type: ignore[arg-type,operator]


def test_slmrec_losses(batch: Batch) -> None:
    """InfoNCE of users and watched items by cosine, and the two meetings of the FAC task by dot product."""
    config = SLMRecConfig(d=4, layers=1, contrast=0.3, temperature=0.5)
    network = SLMRecNetwork(config, SIZES, ARRAYS)
    embed = network.embed
    users = _numpy(embed.user.shared + embed.user.own.weight)
    video = _numpy(embed.segment.video.shared + embed.segment.video.own.weight)
    position = _numpy(embed.segment.position.weight)
    ids = np.stack([video[1] + position[0], video[1] + position[1], video[2] + position[0]])
    spaces = [
        _propagated(users, nodes, 1) for nodes in (ids, _projected(network, "visual"), _projected(network, "text"))
    ]
    # One watched item of each view: (1, 0) and (2, 0), the items 0 and 2 of the graph.
    rows = [0, 2]
    user = np.concatenate([s[0][[1, 2]] for s in spaces], axis=1) @ _numpy(network.fuse_user.weight).T
    item = np.concatenate([s[1][rows] for s in spaces], axis=1) @ _numpy(network.fuse_item.weight).T
    user, item = user + _numpy(network.fuse_user.bias), item + _numpy(network.fuse_item.bias)
    main = _info_nce(_unit(user), _unit(item), 0.5)

    align = network.align
    assert isinstance(align, FineAndCoarse)
    (g1, g2), (f1, f2) = (
        [(_numpy(m.weight), _numpy(m.bias)) for m in maps]  # type: ignore[arg-type,operator]
        for maps in (align.onward, align.meet)
    )
    # Ids meet visual in d numbers, both together meet text in d / 2.
    assert (g1[0].shape, g2[0].shape) == ((4, 4), (2, 4))
    x1 = spaces[0][1][rows] @ g1[0].T + g1[1]
    fine = _info_nce(x1, spaces[1][1][rows] @ f1[0].T + f1[1], 0.5)
    x2 = x1 @ g2[0].T + g2[1]
    coarse = _info_nce(x2, spaces[2][1][rows] @ f2[0].T + f2[1], 0.5)

    items = Items(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
    label = torch.tensor([1.0, 0.0, 1.0, 0.0])
    _close(network.loss(batch, items, label), main + 0.3 * (fine + coarse))


@pytest.mark.parametrize("graph", ["with-self", "others"])
def test_freedom_item_graph(graph: str) -> None:
    """The k nearest by cosine: with itself, each of weight 1 / k; or without, by in-degree. Mean over modalities."""
    network = FREEDOMNetwork(FREEDOMConfig(d=4, neighbours=2, item_graph=graph), SIZES, ARRAYS)
    expected = np.zeros((3, 3))
    for modality in SIZES.dims:
        rows = _unit(ARRAYS[f"content.{modality}"].astype(np.float64))
        likeness = rows @ rows.T
        if graph == "others":
            np.fill_diagonal(likeness, -np.inf)
        chosen = np.zeros((3, 3))
        for i in range(3):
            chosen[i, np.argsort(-likeness[i])[:2]] = 1.0
        if graph == "with-self":
            assert chosen.diagonal().all()
            expected += chosen / 2 / len(SIZES.dims)
        else:
            scale = np.sqrt(chosen.sum(axis=1)[:, None] * chosen.sum(axis=0)[None, :])
            expected += np.divide(chosen, scale, out=np.zeros((3, 3)), where=chosen > 0) / len(SIZES.dims)
    _close(network.similar.to_dense(), expected)


def test_freedom_keeps_edges_in_proportion_to_their_degrees() -> None:
    """One edge at a time, p(u, i) = d_u^-1/2 d_i^-1/2 over the sum of all edges."""
    network = FREEDOMNetwork(FREEDOMConfig(d=4, pruned=0.75), SIZES, ARRAYS)
    degree_user = {u: sum(1 for v, _ in EDGES if v == u) for u, _ in EDGES}
    degree_item = {i: sum(1 for _, j in EDGES if j == i) for _, i in EDGES}
    weight = np.array([(degree_user[u] * degree_item[i]) ** -0.5 for u, i in EDGES])
    draws, kept = 3000, np.zeros(len(EDGES))
    for _ in range(draws):
        sample = network.pruned().to_dense()[: SIZES.users, SIZES.users :]
        kept += [float(sample[u, i] > 0) for u, i in EDGES]
    share = weight / weight.sum()
    assert np.abs(kept / draws - share).max() < 4 * np.sqrt(0.25 / draws)
    assert kept.sum() == draws


def test_freedom_gives_cold_items_the_mean_of_their_neighbours_and_themselves(
    make_batch: Callable[..., Batch],
) -> None:
    network = FREEDOMNetwork(FREEDOMConfig(d=4, neighbours=2), SIZES, ARRAYS).eval()
    content = {"visual": torch.tensor([[0.0, 0, 0], [0, 0, 1.0]]), "text": torch.tensor([[0.0, 0], [0.1, 1.0]])}
    batch = make_batch([1], [0], [1], content=content)
    items = Items(torch.tensor([0]), torch.tensor([0]))
    _, item = network.vectors(batch, items)
    _, graph_item = network.embed(batch, items)
    nodes, own = network.embed.layer_zero()[1], network.embed.segment.targets(batch, items)[0]
    # Nearest by visual is item 2, by text item 0.
    _close(item[0] - graph_item[0], _numpy(((nodes[2] + own) / 2 + (nodes[0] + own) / 2) / 2))
