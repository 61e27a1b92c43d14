"""SegRec: the four weighings on a network that can be added up by hand, and planted signal."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from segfeat.interactions import Interactions
from segmodel.data.batch import Batch
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split
from segmodel.models.base import FitRun
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import ItemNetwork
from segmodel.recommend import BACKBONES
from segmodel.recommend.segrec import SegRec, SegRecNetwork
from segmodel.recommend.weights import WEIGHINGS, SegmentWeights, softmax_weights

SLOTS = 6


class ByHand(ItemNetwork):
    """Scores an item 10 · user + segment."""

    def forward(self, batch: Batch, items: Items) -> Tensor:
        return (10 * batch.user[items.view] + items.segment).float()


@pytest.fixture
def batch() -> Batch:
    """Users 1 and 2 before videos of 3 and 1 segments."""
    nothing = torch.zeros(2, 1, dtype=torch.int64)
    return Batch(
        user=torch.tensor([1, 2]),
        video=torch.tensor([1, 1]),
        segments=torch.tensor([3, 1]),
        mask=torch.tensor([[True, True, True], [True, False, False]]),
        segment_row=torch.zeros(2, 3, dtype=torch.int64),
        history_video=nothing,
        history_segment=nothing,
        history_row=nothing,
        history_mask=nothing.bool(),
        content={},
        content_valid={},
        exit=torch.tensor([0, 0]),
    )


INTEREST = torch.log(torch.tensor([[1.0, 2.0, 1.0], [5.0, 1e9, 1e9]]))


@pytest.mark.parametrize(
    ("weighing", "logits"),
    [
        # The whole video is the last of six slots, which is no segment of any video.
        ("video", [15.0, 25.0]),
        ("segsum", [10.0 + 11.0 + 12.0, 20.0]),
        # Unlearned, all positions count alike.
        ("segadjust", [11.0, 20.0]),
        ("interest", [10.0 / 4 + 11.0 / 2 + 12.0 / 4, 20.0]),
    ],
)
def test_weighings_by_hand(batch: Batch, weighing: str, logits: list[float]) -> None:
    network = SegRecNetwork(ByHand(), weighing, SLOTS)
    torch.testing.assert_close(network(batch, INTEREST), torch.tensor(logits))
    if weighing != "video":
        weights, scores = network.parts(batch, INTEREST)
        torch.testing.assert_close((weights * scores).sum(dim=1), torch.tensor(logits))
        assert not weights[1, 1:].any()


def test_segadjust_learns_one_number_for_each_position(batch: Batch) -> None:
    network = SegRecNetwork(ByHand(), "segadjust", SLOTS)
    with torch.no_grad():
        network.weights.position[1] = np.log(2.0)
    torch.testing.assert_close(network(batch, INTEREST), torch.tensor([10.0 / 4 + 11.0 / 2 + 12.0 / 4, 20.0]))
    network(batch, INTEREST).sum().backward()
    gradient = network.weights.position.grad
    assert gradient is not None
    # w_i (y'_i - y) of the first view; the second has a single segment.
    torch.testing.assert_close(gradient, torch.tensor([-0.25, 0.0, 0.25, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("weighing", ["segadjust", "interest"])
def test_weights_sum_to_one_and_padding_weighs_nothing(weighing: str) -> None:
    torch.manual_seed(0)
    mask = torch.arange(7)[None, :] < torch.randint(1, 8, (50, 1))
    interest = 30 * torch.randn(50, 7)
    weights = SegmentWeights(weighing, 8)(interest, mask)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(50))
    assert not weights[~mask].any()
    changed = torch.where(mask, interest, 1e6)
    torch.testing.assert_close(SegmentWeights(weighing, 8)(changed, mask), weights)


def test_extreme_interest_stays_finite() -> None:
    weights = softmax_weights(torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([[True, True, False]]))
    assert weights.tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("backbone", "weighing", "message"), [("freedom", "video", "no backbone"), ("din", "mean", "valid are video")]
)
def test_what_cannot_be_is_named(backbone: str, weighing: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegRec(backbone, {}, weighing)


# -- planted signal ----------------------------------------------------------------------------------------------------

USERS, EACH, SEGMENTS = 20, 50, 4

SETTINGS = {"d": 8, "epochs": 12, "patience_updates": 500, "batch_views": 100, "learning_rate": 1e-2, "max_segments": 8}


@cache
def world() -> tuple[Dataset, Split, np.ndarray, np.ndarray]:
    """Every view of a new video; a view is effective iff the one segment of high interest stands at an even place."""
    rng = np.random.default_rng(3)
    n = USERS * EACH
    log = Interactions(
        user_ids=np.array([f"u{i}" for i in range(USERS)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(n)], dtype=object),
        user=np.repeat(np.arange(USERS, dtype=np.int32), EACH),
        video=np.arange(n, dtype=np.int32),
        time_ms=np.tile(np.arange(EACH), USERS) * 1000,
        watch_ms=rng.integers(1, 20_000, n),
        duration_ms=np.full(n, SEGMENTS * 5_000),
    )
    place = rng.integers(0, SEGMENTS, n)
    interest = np.zeros((n, 8))
    interest[np.arange(n), place] = 4.0
    part = np.arange(n) % 5
    split = Split(np.flatnonzero(part < 3), np.flatnonzero(part == 3), np.flatnonzero(part == 4))
    return make_dataset(log), split, place % 2 == 0, interest


def auc(backbone: str, weighing: str, label: np.ndarray) -> float:
    data, split, _, interest = world()
    model = SegRec(backbone, SETTINGS, weighing)
    model.fit(data, split, label, interest, FitRun(seed=0))
    test = data.take(split.test)
    return float(roc_auc_score(label[split.test], model.logits(test, interest[split.test])))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_interest_that_carries_the_label_is_used(backbone: str) -> None:
    label = world()[2]
    assert auc(backbone, "interest", label) > 0.95
    # Nothing else in this world tells.
    assert auc(backbone, "video", label) < 0.65


@pytest.mark.parametrize("weighing", WEIGHINGS)
def test_shuffled_labels_teach_nothing(weighing: str) -> None:
    label = np.random.default_rng(1).permutation(world()[2])
    assert 0.35 < auc("widedeep", weighing, label) < 0.65


def test_views_are_scored_the_same_in_any_company() -> None:
    data, split, label, interest = world()
    model = SegRec("din", {**SETTINGS, "epochs": 1}, "interest")
    model.fit(data, split, label, interest, FitRun(seed=0))
    together = model.logits(data, interest)
    weights, scores = model.parts(data, interest)
    np.testing.assert_allclose((weights * scores).sum(axis=1), together, atol=1e-5)
    few = np.array([3, 500, 999])
    np.testing.assert_allclose(model.logits(data.take(few), interest[few]), together[few], atol=1e-5)
    again = SegRec("din", {**SETTINGS, "epochs": 1}, "interest")
    again.restore(*model.state())
    np.testing.assert_allclose(again.logits(data, interest), together, atol=1e-5)


def test_interest_must_be_given_where_it_counts() -> None:
    data, split, label, _ = world()
    with pytest.raises(ValueError, match="needs the interest"):
        SegRec("din", SETTINGS, "interest").fit(data, split, label, None, FitRun())
