"""What networks say of any views, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.models.hazard.batches import Batches
from segmodel.models.hazard.inference.segment_cache import SegmentStates
from segmodel.models.hazard.network import HazardNetwork
from segmodel.models.hazard.statistics import Inputs

_SCORE_VIEWS = 1024


@torch.no_grad()
def mean_hazard(
    networks: Sequence[HazardNetwork],
    batches: Batches,
    data: Dataset,
    inputs: Inputs,
    states: SegmentStates | None = None,
) -> Float64:
    """Hazards (V, S) averaged over the networks; 0 beyond N."""
    device = next(networks[0].parameters()).device
    hazard = np.zeros((len(data), batches.config.max_segments))
    for start in range(0, len(data), _SCORE_VIEWS):
        rows = np.arange(start, min(start + _SCORE_VIEWS, len(data)))
        batch = batches.make(data, inputs, rows, states=states).to(device)
        members = [batch.of_member(k) if states else batch for k in range(len(networks))]
        each = [torch.sigmoid(n(b).float()) for n, b in zip(networks, members, strict=True)]
        out = torch.stack(each).mean(dim=0)
        hazard[rows, : out.shape[1]] = out.cpu().numpy()
    hazard[np.arange(hazard.shape[1])[None, :] >= data.views.segments[:, None]] = 0.0
    return hazard
