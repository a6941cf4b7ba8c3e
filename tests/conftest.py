"""What every test shares: few threads, no network, and the data fixtures where they are."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two cores, and figures that do not wander
os.environ.setdefault("HF_HUB_OFFLINE", "1")

if (Path(__file__).parent / "data_fixtures.py").exists():
    pytest_plugins = ["data_fixtures"]
