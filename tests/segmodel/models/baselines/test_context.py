"""The defining part of each click model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.models.baselines.context.adagin import AdaGINConfig, AdaGINNetwork, FeatureGraphLayer, SemanticSpaces
from segmodel.models.baselines.context.can import CANConfig, CANNetwork, CoActionUnit
from segmodel.models.baselines.context.dcnv2 import CrossLayers
from segmodel.models.baselines.context.dien import AttentionalGRU, DIENConfig, DIENNetwork, auxiliary_loss
from segmodel.models.baselines.context.din import ActivationUnit, DINConfig, DINNetwork
from segmodel.models.baselines.context.finalmlp import FeatureGate, FinalMLPConfig, FinalMLPNetwork, StreamFusion
from segmodel.models.baselines.context.widedeep import Wide, WideDeepConfig, WideDeepNetwork
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.fields import History, field_codes
from segmodel.models.baselines.items import all_items

MakeBatch = Callable[..., Batch]


def test_fields_of_items(make_batch: MakeBatch) -> None:
    batch = make_batch([3, 1], [2, 4], [2, 1])
    assert field_codes(batch, all_items(batch.segments)).tolist() == [
        [3, 2, 0, 2],
        [3, 2, 1, 2],
        [3, 2, 2, 2],
        [1, 4, 0, 1],
        [1, 4, 1, 1],
    ]


def test_wide_is_a_weight_per_id_and_per_cross(sizes: Sizes) -> None:
    wide = Wide(sizes)
    with torch.no_grad():
        for table, weight in zip(wide.weights, (1.0, 10.0, 100.0, 1000.0), strict=True):
            table.weight += weight * torch.arange(len(table.weight))[:, None]
        wide.cross.weight[2 * sizes.slots + 5] = 0.5
        wide.bias += 0.25
    found = wide(torch.tensor([[3, 4, 2, 5], [3, 4, 5, 2]]))
    # Only segment 2 of a video of 5 has the crossed weight.
    assert found.tolist() == [3 + 40 + 200 + 5000 + 0.5 + 0.25, 3 + 40 + 500 + 2000 + 0.25]


def test_wide_and_deep_add_up(sizes: Sizes, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    network = WideDeepNetwork(WideDeepConfig(d=4), sizes).eval()
    batch = make_batch([1, 2], [1, 2], [3, 2])
    items = all_items(batch.segments)
    deep = network(batch, items)
    with torch.no_grad():
        network.wide.cross.weight.normal_()
    difference = network(batch, items) - deep
    torch.testing.assert_close(difference, network.wide(field_codes(batch, items)))
    assert difference.abs().min() > 0


def test_cross_layers_by_hand() -> None:
    cross = CrossLayers(2, 2)
    with torch.no_grad():
        for linear, weight in zip(cross.linear, ([[1.0, 2.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]), strict=True):
            linear.weight.copy_(torch.tensor(weight))
            linear.bias.copy_(torch.tensor([0.5, -1.0]))
    # x0 = (1, 3): x1 = x0 * (7.5, 2) + x0 = (8.5, 9); x2 = x0 * (9.5, 7.5) + x1 = (18, 31.5).
    assert cross(torch.tensor([[1.0, 3.0]]))[0].tolist() == [18.0, 31.5]


def test_cross_layers_raise_the_degree_by_one() -> None:
    torch.manual_seed(0)
    cross = CrossLayers(3, 2)
    with torch.no_grad():
        for linear in cross.linear:
            linear.bias.zero_()
    x = torch.randn(1, 3)
    # A polynomial of degree 3 in x: its fourth finite difference along a line is 0, its third is not.
    values = torch.stack([cross(x * t)[0] for t in range(5)]).double()
    assert torch.diff(values, n=3, dim=0).abs().max() > 1e-2
    torch.testing.assert_close(torch.diff(values, n=4, dim=0), torch.zeros(1, 3).double(), atol=1e-3, rtol=0)


def test_stream_fusion_by_hand() -> None:
    fusion = StreamFusion(4, 2)
    with torch.no_grad():
        fusion.first.weight.copy_(torch.tensor([[1.0, 0, 0, 0]]))
        fusion.first.bias.fill_(0.5)
        fusion.second.weight.copy_(torch.tensor([[0, 0, 0, 2.0]]))
        fusion.bilinear.copy_(torch.tensor([[[1.0, 0], [0, 0]], [[0, 0], [3.0, 0]]]))
    one, two = torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([[5.0, 6, 7, 8]])
    # Linear: 0.5 + 1 + 16; head 0: 1 · 5; head 1: 4 · 3 · 7.
    assert fusion(one, two).item() == pytest.approx(0.5 + 1 + 16 + 5 + 84)


def test_feature_gates_scale_between_nothing_and_double(sizes: Sizes, make_batch: MakeBatch) -> None:
    gate = FeatureGate(2, 3, 4)
    x, e = torch.randn(5, 2), torch.randn(5, 3)
    ratio = gate(x, e) / e
    assert ((ratio > 0) & (ratio < 2)).all()
    with torch.no_grad():
        gate.gate[-1].weight.zero_()
        gate.gate[-1].bias.zero_()
    torch.testing.assert_close(gate(x, e), e)
    # One stream is gated by the user, the other by the item.
    network = FinalMLPNetwork(FinalMLPConfig(d=4, heads=2), sizes)
    assert network.user_gate.gate[0].in_features == 4
    assert network.item_gate.gate[0].in_features == 12


def test_adagin_adjacency_is_hard_and_has_loops() -> None:
    torch.manual_seed(0)
    layer = FeatureGraphLayer(4, 8, 0.1, 1.0, "fair-share")
    for noisy in (True, False):
        layer.train(noisy)
        found = layer.adjacency(torch.randn(50, 4, 8))
        assert ((found - found.round()).abs() < 1e-5).all()
        assert set(found.round().unique().tolist()) == {0.0, 1.0}
        assert (found.diagonal(dim1=1, dim2=2).round() == 1).all()
        # At least one edge of every field beats the fair share.
        assert (found.round().sum(dim=-1) >= 1).all()


def test_adagin_edges_follow_the_features_and_learn() -> None:
    torch.manual_seed(0)
    layer = FeatureGraphLayer(3, 2, 0.1, 1.0, "fair-share").eval()
    with torch.no_grad():
        # Edge logits are the first number of the sender.
        layer.edge.weight.copy_(torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    fields = torch.tensor([[[5.0, 0], [0.0, 0], [0.0, 0]]])
    expected = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]])
    torch.testing.assert_close(layer.adjacency(fields)[0], expected)
    with torch.no_grad():
        layer.edge_temperature = 5.0
    (layer.adjacency(fields) * torch.randn(3, 3)).sum().backward()
    assert layer.edge.weight.grad is not None
    assert layer.edge.weight.grad.abs().sum() > 0


def test_adagin_layer_by_hand() -> None:
    layer = FeatureGraphLayer(2, 1, 0.1, 1.0).eval()
    with torch.no_grad():
        layer.edge.weight.zero_()
        layer.transform.copy_(torch.tensor([[[2.0]], [[-3.0]]]))
        for parameter in layer.importance.parameters():
            parameter.zero_()
    # Equal logits: every edge has its fair share, so all edges are kept; both fields weigh 1/2.
    found = layer(torch.tensor([[[1.0], [4.0]]]), torch.tensor([[[10.0], [20.0]]]))
    # 2 · 5 / 2 = 5 and -3 · 5 / 2 = -7.5, which LeakyReLU takes to -0.075.
    torch.testing.assert_close(found, torch.tensor([[[15.0], [19.925]]]))


def test_adagin_reads_three_spaces_and_weighs_orders(sizes: Sizes, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    spaces = SemanticSpaces(2, 3, 0.0)
    assert [m[0].in_features for m in spaces.value] == [9, 3, 6]
    network = AdaGINNetwork(AdaGINConfig(d=3, layers=2), sizes).eval()
    batch = make_batch([1], [1], [2])
    items = all_items(batch.segments)
    with torch.no_grad():
        network.order_weight.copy_(torch.tensor([50.0, 0.0, 0.0]))
    torch.testing.assert_close(network(batch, items), network.read(network.embed(batch, items)))


def test_din_activation_by_hand() -> None:
    unit = ActivationUnit(2, 3)
    history = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    mask, target = torch.tensor([[True, True, False]]), torch.tensor([[1.0, 2.0]])
    weights = unit.weights(history, target)
    expected = weights[0, 0] * history[0, 0] + weights[0, 1] * history[0, 1]
    torch.testing.assert_close(unit(history, mask, target)[0], expected)
    # Intensity counts: the weights are no distribution.
    assert weights[0, :2].sum().item() != pytest.approx(1.0, abs=1e-3)
    assert not unit(history, torch.zeros(1, 3, dtype=torch.bool), target).any()


def test_din_interest_depends_on_the_target(sizes: Sizes, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    network = DINNetwork(DINConfig(d=8), sizes)
    history = network.embed.item(torch.tensor([[1, 2]]), torch.tensor([[0, 1]]))
    targets = network.embed.item(torch.tensor([1, 3]), torch.tensor([0, 4]))
    mask = torch.ones(1, 2, dtype=torch.bool)
    first, second = (network.activation(history, mask, t[None]) for t in targets)
    assert not torch.allclose(first, second)


def test_augru_with_full_attention_is_a_gru_and_without_it_stands_still() -> None:
    torch.manual_seed(0)
    cell = AttentionalGRU(3, 4)
    gru = torch.nn.GRU(3, 4, batch_first=True)
    with torch.no_grad():
        # torch orders its gates (reset, update, new), and its update gate keeps the old state.
        for name, linear in (("ih", cell.input), ("hh", cell.state)):
            update, reset, new = getattr(gru, f"weight_{name}_l0")[4:8], getattr(gru, f"weight_{name}_l0")[:4], 0
            bias = getattr(gru, f"bias_{name}_l0")
            new = getattr(gru, f"weight_{name}_l0")[8:]
            linear.weight.copy_(torch.cat([-update, reset, new]))
            linear.bias.copy_(torch.cat([-bias[4:8], bias[:4], bias[8:]]))
    steps = torch.randn(2, 5, 3)
    torch.testing.assert_close(cell(steps, torch.ones(2, 5)), gru(steps)[0][:, -1])
    attention = torch.tensor([[1.0, 1, 0, 0, 0]] * 2)
    torch.testing.assert_close(cell(steps, attention), cell(steps[:, :2], torch.ones(2, 2)))


def test_dien_states_do_not_see_padding(sizes: Sizes, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    network = DIENNetwork(DIENConfig(d=4, history=5), sizes).eval()
    viewed = [(1, 0), (2, 1)]
    short = network.embed.history(make_batch([1], [1], [2], histories=[viewed]), 5)
    long = network.embed.history(make_batch([1, 2], [1, 1], [2, 2], histories=[viewed, viewed + viewed]), 5)
    torch.testing.assert_close(network.interests(short)[0, -2:], network.interests(long)[0, -2:])
    assert not network.interests(long)[0, :-2].any()


def test_dien_auxiliary_loss_by_hand() -> None:
    vectors = torch.tensor([[[0.0], [1.0], [2.0]], [[0.0], [5.0], [7.0]]])
    states = torch.tensor([[[0.0], [0.5], [9.0]], [[0.0], [-1.0], [9.0]]])
    mask = torch.tensor([[False, True, True]] * 2)
    # One step each: next 2 against foreign 7 at state 0.5; next 7 against foreign 2 at state -1.
    terms = [F.softplus(torch.tensor(x)) for x in (-0.5 * 2, 0.5 * 7, 1.0 * 7, -1.0 * 2)]
    found = auxiliary_loss(states, History(vectors, mask))
    assert found.item() == pytest.approx(sum(t.item() for t in terms) / 2, abs=1e-5)
    assert auxiliary_loss(states, History(vectors, torch.zeros_like(mask))).item() == 0.0


def test_dien_trains_its_extractor_by_the_auxiliary_loss(sizes: Sizes, make_batch: MakeBatch) -> None:
    histories = [[(1, 0), (2, 1), (3, 0)], [(3, 0), (1, 1), (2, 2)]]
    batch = make_batch([1, 2], [1, 2], [2, 2], histories=histories)
    items = all_items(batch.segments)
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        network = DIENNetwork(DIENConfig(d=4, auxiliary=weight, dropout=0.0), sizes)
        losses.append(network.loss(batch, items, (items.segment != 1).float()))
        history = network.embed.history(batch, 10)
        extra = auxiliary_loss(network.interests(history), history)
    torch.testing.assert_close(losses[1] - losses[0], extra)


def test_co_action_is_a_micro_mlp_cut_from_the_target() -> None:
    unit = CoActionUnit((2, 2, 1), orders=1)
    assert unit.target_width == (4 + 2) + (2 + 1)
    target = torch.tensor([[1.0, 2, 3, 4, 0.1, 0.2, 0.5, -0.5, 0.3]])
    feed = torch.tensor([[[0.1, -0.2]]])
    first = torch.tanh(torch.tensor([0.1 * 1 - 0.2 * 3 + 0.1, 0.1 * 2 - 0.2 * 4 + 0.2]))
    # The last layer is linear.
    second = first[0] * 0.5 - first[1] * 0.5 + 0.3
    torch.testing.assert_close(unit(target, feed)[0, 0], torch.cat([first, second[None]]))


def test_co_action_sets_powers_of_what_is_fed_side_by_side() -> None:
    torch.manual_seed(0)
    once, twice = CoActionUnit((3, 2), orders=1), CoActionUnit((3, 2), orders=2)
    target, feed = torch.randn(4, once.target_width), torch.randn(4, 1, 3)
    expected = torch.cat([once(target, feed), once(target, feed**2)], dim=-1)
    torch.testing.assert_close(twice(target, feed), expected)
    assert twice.output_width == 2 * once.output_width


@pytest.mark.parametrize("base", ["dien", "pooling"])
def test_can_stands_on_the_base_that_it_names(sizes: Sizes, make_batch: MakeBatch, base: str) -> None:
    torch.manual_seed(0)
    network = CANNetwork(CANConfig(d=4, base=base, dropout=0.0), sizes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 5
    # The order of the history matters to DIEN alone; co-actions are averaged.
    forth = make_batch([1, 2], [1, 2], [2, 2], histories=[[(1, 0), (2, 1), (3, 0)], [(3, 0)]])
    back = make_batch([1, 2], [1, 2], [2, 2], histories=[[(3, 0), (2, 1), (1, 0)], [(3, 0)]])
    items = all_items(forth.segments)
    same = torch.allclose(network(forth, items), network(back, items), rtol=1e-4)
    assert same == (base == "pooling")
    label = (items.segment != 1).float()
    network.loss(forth, items, label).backward()
    assert (network.base is not None) == (base == "dien")
    if network.base is not None:
        extra = auxiliary_loss(
            network.base.interests(network.embed.history(forth, 20)), network.embed.history(forth, 20)
        )
        plain = F.binary_cross_entropy_with_logits(network(forth, items), label)
        torch.testing.assert_close(network.loss(forth, items, label), plain + 0.5 * extra)


def test_can_feeds_user_and_history_to_the_target(sizes: Sizes, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    network = CANNetwork(CANConfig(d=4), sizes).eval()
    batch = make_batch([1], [1], [2], histories=[[(1, 0), (2, 1)]])
    network(batch, all_items(batch.segments)).sum().backward()
    for part in (network.user_feed.own, network.history_feed.video.own, network.induction.video.own):
        assert part.weight.grad is not None
        assert part.weight.grad[1].abs().sum() > 0
