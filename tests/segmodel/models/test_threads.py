"""Threads that computation takes."""

from __future__ import annotations

import json
import subprocess
import sys

COUNTS = """
import json, torch, sklearn.ensemble
from threadpoolctl import threadpool_info
from segmodel.models.threads import take_threads
before = [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]
take_threads(1)
print(json.dumps([before, [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]]))
"""


def test_networks_trees_and_products_take_no_more_than_told() -> None:
    found = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True)
    before, after = json.loads(found.stdout)
    assert len(before) == len(after) >= 3
    assert set(after) == {1}
