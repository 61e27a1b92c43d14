# %% [markdown]
# # From a log to a table
# Without videos: a watch log becomes a store, several models are measured on the same views, and the
# table has intervals. The log here is made up; `segfeat import segmm` and `kuairand` read public ones.

# %%
import os
import tempfile

import numpy as np
import pandas as pd

import segmodel
from segfeat.importers.log import import_log

os.chdir(tempfile.mkdtemp())
rng = np.random.default_rng(0)
views, users, videos = 1500, 50, 60
video = rng.integers(0, videos, views)
duration_ms = rng.integers(6_000, 40_000, videos)[video]
# People leave early or see it through; a video has its own pull.
stays = rng.random(views) < np.linspace(0.2, 0.8, videos)[video]
watch_ms = np.where(stays, duration_ms, rng.exponential(5_000, views).astype(int) + 1)
pd.DataFrame(
    {
        "user_id": rng.integers(0, users, views),
        "video_id": video,
        "time_ms": 1_700_000_000_000 + 1000 * np.arange(views),
        "duration_ms": duration_ms,
        "watch_ms": watch_ms,
    }
).to_csv("log.csv", index=False)
summary = import_log("csv", "log.csv", "log.h5")
print(summary.check)

# %% [markdown]
# ## Models

# %%
fitted = [
    segmodel.train("log.h5", members=1, epochs=2, out="runs/ours"),
    segmodel.train("log.h5", model="item-position", out="runs/items"),
]

# %% [markdown]
# ## The table
# Differences to the reference are paired view by view; their 95 % intervals come from resampling users.

# %%
compared = segmodel.compare(fitted, baselines=["duration-position"])
table = compared.to_frame()
table = table[(table["group"] == "all") & table["metric"].isin(["nll", "masked_ndcg@5"])]
table[["model", "metric", "views", "mean", "difference", "low", "high"]]
