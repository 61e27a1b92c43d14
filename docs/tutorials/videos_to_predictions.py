# %% [markdown]
# # From videos to predictions
# A small world of real videos and a watch log is made first; put your own in its place.
# Everything happens in a new folder.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import segfeat
import segmodel

root = Path(segfeat.__file__).parents[1]
os.chdir(os.environ.get("SEGFEAT_TUTORIAL") or tempfile.mkdtemp())
make = [sys.executable, "-m", "examples.world", str(Path("world").resolve()), "--videos", "24", "--users", "30"]
done = subprocess.run(make, cwd=root, check=True, capture_output=True, text=True)
print(done.stdout)

# %% [markdown]
# ## Features
# `preset="offline"` needs no weights; leave it out for CLIP, wav2vec 2.0 and MiniLM.

# %%
summary = segfeat.extract(
    ["world/videos"], "feats.h5", preset="offline", metadata="world/titles.csv", interactions="world/watch_log.csv"
)
store = segfeat.open_store("feats.h5")
store

# %% [markdown]
# ## A model
# One network and one epoch, to be quick; the defaults are `segmodel.train("feats.h5")`.

# %%
model = segmodel.train("feats.h5", members=1, epochs=1, out="runs/first")
model

# %%
log = store.interactions
user, video = str(log.user_ids[0]), str(log.video_ids[0])
predicted = model.predict([user], [video])
predicted.to_frame()

# %% [markdown]
# The skip probabilities of a view and its last survival, which is completion, sum to 1.

# %%
table = predicted.to_frame()
assert abs(table["skip_probability"].sum() + table["survival"].iloc[-1] - 1) < 1e-6
model.recommend(user, n=5).to_frame()

# %% [markdown]
# ## How good is that?

# %%
model.evaluate(baselines=["duration-position"]).to_frame().query("group == 'all' and metric == 'nll'")

# %%
model.report("report.html", baselines=["duration-position"])
