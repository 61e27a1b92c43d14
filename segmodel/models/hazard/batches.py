"""Batches: views and their histories as the networks read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from segfeat.types import Bool, Float32
from segmodel.data.dataset import HISTORY_VIEWS, Dataset, of_past
from segmodel.data.views import Rows
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.design import EVIDENCE
from segmodel.models.hazard.features import Scaler, segment_features
from segmodel.models.hazard.inference.segment_cache import SegmentStates
from segmodel.models.hazard.rates import spread
from segmodel.models.hazard.statistics import Inputs

if TYPE_CHECKING:
    from segmodel.models.hazard.network import HazardBatch


@dataclass(frozen=True, eq=False)
class Batches:
    """Makes the networks' batches.

    Attributes
    ----------
    config : HazardConfig
    dims : modality -> int
        Of the content that the networks read.
    scalers : sequence of Scaler
        Of a view's own columns, of its user's, of its history's views.
    """

    config: HazardConfig
    dims: Mapping[str, int]
    scalers: Sequence[Scaler]

    def make(
        self,
        data: Dataset,
        inputs: Inputs,
        rows: Rows,
        generator: np.random.Generator | None = None,
        states: SegmentStates | None = None,
    ) -> HazardBatch:
        """The batch of the given views; with a generator, a training batch that may lack modalities."""
        import torch

        from segmodel.data.batch import gather_content
        from segmodel.models.hazard.network import HazardBatch

        scale_view = self.scalers[0]
        segments = data.views.segments[rows].astype(np.int64)
        width = int(segments.max())
        mask = np.arange(width)[None, :] < segments[:, None]
        token, age, there = self.history(data, inputs, rows)
        content = None
        evidence = np.zeros((len(rows), 0, EVIDENCE), np.float32)
        if self.dims:
            past_row, viewed, evidence = self.evidence(data, inputs, rows)
            read = partial(states.read, data.store) if states and data.store is not None else None
            content = gather_content(data, rows, mask, past_row, viewed, tuple(self.dims), read)
            if generator is not None:
                dropped = [m for m in self.dims if generator.random() < self.config.modality_dropout]
                if len(dropped) < len(self.dims):
                    valid = {m: v & (m not in dropped) for m, v in content.valid.items()}
                    content = replace(content, valid=valid)
        offset = inputs.offset[rows, :width]
        moment = spread(inputs.shift[rows], segments, width).astype(np.float32)
        return HazardBatch(
            view=torch.from_numpy(scale_view(inputs.view[rows])),
            user=torch.from_numpy(self.user(inputs, rows)),
            token=torch.from_numpy(token),
            age=torch.from_numpy(age),
            token_mask=torch.from_numpy(there),
            segment=torch.from_numpy(segment_features(data.views, rows, offset, width)),
            to_end=torch.from_numpy(np.maximum(segments[:, None] - 1 - np.arange(width)[None, :], 0)),
            offset=torch.from_numpy(offset + moment),
            segments=torch.from_numpy(segments),
            exit=torch.from_numpy(data.views.exit[rows].astype(np.int64)),
            content=content,
            evidence=torch.from_numpy(evidence),
        )

    def user(self, inputs: Inputs, rows: Rows) -> Float32:
        """Standardised running statistics of the users of the given views (B, ·); zero where they are switched off."""
        return self.scalers[1](inputs.user[rows]) * np.float32(self.config.user_statistics)

    def history(self, data: Dataset, inputs: Inputs, rows: Rows) -> tuple[Float32, Float32, Bool]:
        """The last views before the given ones: standardised (B, HISTORY_VIEWS, ·), their age, and which there are."""
        last = data.last_views[rows]
        # Without attention there is nothing to attend to.
        there = (last >= 0) & self.config.attention
        age_s = np.maximum(data.views.time_ms[rows][:, None] - of_past(data.past.time_ms, last), 0) / 1000.0
        back = np.broadcast_to(np.arange(HISTORY_VIEWS)[::-1], last.shape)
        log_age = np.log10(age_s + 1.0)
        age = np.stack([log_age / 3, np.exp(-back / 5), back / HISTORY_VIEWS, log_age < 3.3], axis=2) * there[..., None]
        token = self.scalers[2](of_past(inputs.past.token, last)) * there[..., None]
        return token.astype(np.float32), age.astype(np.float32), there

    def evidence(self, data: Dataset, inputs: Inputs, rows: Rows) -> tuple[Rows, Rows, Float32]:
        """The newest segments viewed before the given views (B, H'): as row of the past and index, and what each
        says (B, H', 3): left - h, h (1 - h) and h."""
        past_row, segment = data.history_segments(rows, self.config.taste_segments, self.config.taste_views)
        expected = inputs.past.hazard[past_row, segment] if len(data.past) else np.zeros(past_row.shape)
        left = of_past(data.past.exit, past_row) == segment
        said = np.stack([left - expected, expected * (1 - expected), expected], axis=2)
        return past_row, segment, (said * (past_row >= 0)[..., None]).astype(np.float32)
