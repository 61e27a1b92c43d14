"""Members: the trained networks of a model, as weights and, where somebody needs them, as modules of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from segfeat.types import Float64
from segmodel.models.base import Arrays
from segmodel.models.hazard.design import Widths

if TYPE_CHECKING:
    from segmodel.data.dataset import Dataset
    from segmodel.models.hazard.batches import Batches
    from segmodel.models.hazard.inference.segment_cache import SegmentStates
    from segmodel.models.hazard.network import HazardNetwork
    from segmodel.models.hazard.statistics import Inputs


class Members:
    """Networks of one size that learn no more.

    Parameters
    ----------
    widths : Widths
    dims : modality -> int
        Of the content that they read.
    weights : sequence of mappings of name to array
        Of each, as :meth:`torch.nn.Module.state_dict` names them.
    """

    def __init__(self, widths: Widths, dims: Mapping[str, int], weights: Sequence[Arrays]) -> None:
        self.widths, self.dims, self.weights = widths, dims, weights

    @classmethod
    def of(cls, networks: Sequence[HazardNetwork], widths: Widths, dims: Mapping[str, int]) -> Members:
        """Of trained modules, which stay where they are."""
        weights = [{k: v.detach().cpu().numpy() for k, v in n.state_dict().items()} for n in networks]
        made = cls(widths, dims, weights)
        made.networks = list(networks)
        return made

    @cached_property
    def networks(self) -> list[HazardNetwork]:
        """The modules. What one user's videos need is computed without them, and without loading torch."""
        import torch

        from segmodel.models.hazard.network import HazardNetwork

        made = []
        for weights in self.weights:
            network = HazardNetwork(self.widths, self.dims)
            network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
            made.append(network.eval())
        return made

    def mean_hazard(
        self, batches: Batches, data: Dataset, inputs: Inputs, states: SegmentStates | None = None
    ) -> Float64:
        """Hazards (V, S) of any views, averaged; 0 beyond N."""
        from segmodel.models.hazard.averaging import mean_hazard
        from segmodel.models.training import one_thread

        with one_thread():
            return mean_hazard(self.networks, batches, data, inputs, states)
