"""Content of graph nodes and of a batch's items, and what the multimodal systems share.

Tensor letters: T items of a batch, I items in the graph, D width of the features, d of the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segmodel.data.batch import Batch
from segmodel.data.content import CONTENT
from segmodel.data.dataset import Dataset
from segmodel.models.base import Arrays
from segmodel.models.baselines.embeddings import Sizes
from segmodel.models.baselines.general.lightgcn import GraphRecommender
from segmodel.models.baselines.graph import store_rows
from segmodel.models.baselines.items import Items
from segmodel.models.baselines.recommender import RecommenderConfig


@dataclass(frozen=True)
class MultimodalConfig(RecommenderConfig):
    """Settings that the multimodal systems share."""

    layers: int = 2
    """Of the graph of users and watched segments."""
    modalities: tuple[str, ...] = CONTENT
    """Those of them that the store has are used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.modalities or any(m not in CONTENT for m in self.modalities):
            raise ValueError(f"modalities {','.join(self.modalities)!r}: valid are {', '.join(CONTENT)}")


class MultimodalRecommender(GraphRecommender):
    """A recommender that learns from the content of the segments in its graph."""

    needs_content = True
    config: MultimodalConfig

    def learn_structure(self, data: Dataset, rows: np.ndarray) -> Arrays:
        arrays = super().learn_structure(data, rows)
        at = store_rows(data, rows, self.videos, arrays)
        for modality in self.dims:
            if data.store is None:
                raise ValueError(f"{type(self).__name__} learns from content, and there is no feature store")
            values, valid = data.store.gather(modality, np.maximum(at, 0))
            arrays[f"valid.{modality}"] = valid & (at >= 0)
            # Half precision is what the store holds.
            arrays[f"content.{modality}"] = (values * arrays[f"valid.{modality}"][:, None]).astype(np.float16)
        return arrays


class NodeContent(nn.Module):
    """Features of the graph's items, (I, D) per modality; structure, not weights."""

    def __init__(self, sizes: Sizes, arrays: Arrays) -> None:
        super().__init__()
        self.modalities = tuple(sizes.dims)
        for m in self.modalities:
            self.register_buffer(f"{m}_values", torch.from_numpy(np.array(arrays[f"content.{m}"])), persistent=False)
            self.register_buffer(f"{m}_valid", torch.from_numpy(np.array(arrays[f"valid.{m}"])), persistent=False)

    def of(self, modality: str) -> tuple[Tensor, Tensor]:
        """Features (I, D) and which are there (I,)."""
        return getattr(self, f"{modality}_values").float(), getattr(self, f"{modality}_valid")


def batch_content(batch: Batch, items: Items, modality: str) -> tuple[Tensor, Tensor]:
    """Features (T, D) of the items and which are there (T,); an end slot has none."""
    row = F.pad(batch.segment_row, (0, 1))[items.view, items.segment]
    row = torch.where(items.segment < batch.segments[items.view], row, 0)
    return batch.content[modality][row], batch.content_valid[modality][row]


class ContentProjection(nn.Module):
    """Features -> (…, d): layer-normalised, since scales differ between encoders, then linear.

    A learned vector stands where features are absent.
    """

    def __init__(self, dim: int, d: int) -> None:
        super().__init__()
        self.scale = nn.LayerNorm(dim, elementwise_affine=False)
        self.project = nn.Linear(dim, d)
        self.absent = nn.Parameter(torch.zeros(d))

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """(…, D) with content where ``valid`` (…)."""
        return torch.where(valid[..., None], self.project(self.scale(values)), self.absent)
