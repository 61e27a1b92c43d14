# %% [markdown]
# # Serve it
# `segmodel serve` answers over HTTP (extra `serve`). Here a small run is trained, the server is started on a free port,
# asked, and stopped.

# %%
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd

import segmodel
from segfeat.importers.log import import_log

os.chdir(tempfile.mkdtemp())
rng = np.random.default_rng(0)
views = 600
video = rng.integers(0, 30, views)
duration_ms = 5_000 + 1_000 * video
pd.DataFrame(
    {
        "user_id": rng.integers(0, 20, views),
        "video_id": video,
        "time_ms": 1_700_000_000_000 + 1000 * np.arange(views),
        "duration_ms": duration_ms,
        "watch_ms": rng.integers(1, duration_ms),
    }
).to_csv("log.csv", index=False)
import_log("csv", "log.csv", "log.h5")
segmodel.train("log.h5", model="duration-user-position", out="runs/served")

# %% [markdown]
# On a command line: `segmodel serve --run runs/served --port 8000`.

# %%
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
command = [str(Path(sys.executable).with_name("segmodel")), "serve", "--run", "runs/served", "--port", str(port)]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
address = f"http://127.0.0.1:{port}"
for _ in range(240):
    try:
        urllib.request.urlopen(f"{address}/openapi.json").close()
        break
    except OSError:
        time.sleep(0.5)


# %%
def ask(path, **body):
    request = urllib.request.Request(
        f"{address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


answer = ask("/v1/rank", user_id="3", video_ids=["4", "9", "25"])
answer

# %%
server.terminate()
server.wait()
assert answer
