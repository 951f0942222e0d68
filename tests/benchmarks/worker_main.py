"""What runs in a worker: takes jobs as lines of JSON, does them, and answers what they took."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time


def main(jobs: str) -> None:
    """Do jobs until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    module = importlib.import_module(jobs)
    for line in sys.stdin:
        asked = json.loads(line)
        job = getattr(module, asked["job"])
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            value = job(**asked["arguments"])
        except Exception as exc:  # noqa: BLE001  whatever it is, the row fails for it
            answer: dict[str, object] = {"error": f"{type(exc).__name__}: {exc}"}
        else:
            answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "value": value}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
