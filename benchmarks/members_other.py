"""Score members with the package risk-adjustment-model (PyPI), one call per member as it is made to be used.

Run by members_scale with a Python that has the package; it imports nothing of riskflow. Reads JSON lines on
standard input, writes seconds and scores as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

from risk_adjustment_model import CommercialModelV08  # type: ignore[import-not-found]


def main() -> None:
    members = [json.loads(line) for line in sys.stdin]
    model = CommercialModelV08(year=int(sys.argv[1]))
    started = time.perf_counter()
    scores = [model.score(**member).score for member in members]
    seconds = time.perf_counter() - started
    told = {"package": "risk-adjustment-model", "version": version("risk-adjustment-model")}
    json.dump({**told, "members": len(members), "seconds": seconds, "scores": scores}, sys.stdout)


if __name__ == "__main__":
    main()
