"""Settings of the default model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from segmodel.data.content import CONTENT
from segmodel.data.traits import CONTEXT, USER, VIDEO
from segmodel.data.views import MAX_SEGMENTS
from segmodel.models.settings import Ablations, Search


@dataclass(frozen=True)
class HazardConfig:
    """Settings of the default model."""

    search: ClassVar[Search] = {"learning_rate": (2e-3, 1e-3, 4e-3), "width": (64, 32), "dropout": (0.3, 0.1, 0.5)}
    ablations: ClassVar[Ablations] = {
        "no attention": {"attention": False},
        "no user statistics": {"user_statistics": False},
        "no user filter": {"user_filter": False},
        "no simulated deployment": {"deployed_share": 0.0},
        "no hidden videos": {"unknown_share": 0.0},
        "no attributes": {"video_attributes": False},
        "no user attributes": {"user_attributes": False},
        "no context": {"context_columns": False},
        "no modality dropout": {"modality_dropout": 0.0},
        "tastes of the last views alone": {"taste_views": 20, "taste_segments": 100},
        "one Newton step to a taste": {"taste_steps": 1},
        "tastes without bounds": {"taste_bounded": False},
        "one network": {"members": 1},
    }
    ablation_needs: ClassVar[Mapping[str, str]] = {
        "no attributes": VIDEO,
        "no user attributes": USER,
        "no context": CONTEXT,
        "no modality dropout": "content",
        "tastes of the last views alone": "content",
        "one Newton step to a taste": "content",
        "tastes without bounds": "content",
    }
    before: ClassVar[Mapping[str, Any]] = {
        "taste_heads": 2,
        "taste_views": 20,
        "taste_segments": 100,
        "taste_steps": 1,
        "taste_bounded": False,
    }

    modalities: tuple[str, ...] = ("id", *CONTENT)
    """Those of them that the store has are used; ``id`` stands for statistics of the video."""
    max_segments: int = MAX_SEGMENTS
    members: int = 3
    """Networks averaged; they differ in initial weights, order and simulated deployments."""
    epochs: int = 7
    batch_views: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    width: int = 64
    rank: int = 8
    dropout: float = 0.3
    folds: int = 10
    prior_events: float = 20.0
    """Weight of coarser levels in the base hazard, in events."""
    deployed_share: float = 0.5
    """Share of the users for whom an epoch hides the statistics after a random moment, as in deployment."""
    unknown_share: float = 0.1
    """Least share of training views whose video is unknown; denser logs hide random videos until it is reached."""
    modality_dropout: float = 0.2
    """Chance that a training batch lacks a content modality."""
    video_attributes: bool = True
    """Effects of the store's categories of videos, such as author and tags."""
    user_attributes: bool = True
    """Effects of the store's categories of users."""
    context_columns: bool = True
    """Effects of the log's categories of views, such as where in the app they happened."""
    no_context_share: float = 0.1
    """Share of training views whose context is hidden, as it is where somebody asks without."""
    attention: bool = True
    """To the user's last views; without it, histories speak through running statistics, tastes and filter alone."""
    user_statistics: bool = True
    """Running statistics of the user's history."""
    user_filter: bool = True
    taste_heads: int = 1
    """Ways in which content can be alike; on the demo world a second one adds nothing but its cost."""
    taste_views: int | None = None
    """Last views of a history that speak of tastes in content; None: all."""
    taste_segments: int = 200
    """Newest segments viewed in them that do."""
    taste_steps: int = 3
    """Newton steps towards the posterior mode of a taste."""
    taste_bounded: bool = True
    """Whether tastes level off, at log-odds that are learned: a Gaussian prior knows no most that people dislike."""

    def __post_init__(self) -> None:
        unknown = [m for m in self.modalities if m not in ("id", *CONTENT)]
        if unknown or not self.modalities:
            raise ValueError(f"modalities {','.join(self.modalities)!r}: valid are {', '.join(('id', *CONTENT))}")
