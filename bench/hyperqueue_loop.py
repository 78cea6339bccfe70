"""The same tasks by HyperQueue's Python API: its server and one worker in this process, one job of COUNT tasks.

    python bench/hyperqueue_loop.py COUNT SLOTS WORD...

`{}` in a word is the task's number. Its package is `hyperqueue` on PyPI; nothing here installs it. Standard output goes
to a file a task, as it does by default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(count: int, slots: int, words: Sequence[str]) -> None:
    os.environ["TQDM_DISABLE"] = "1"  # its progress bar
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster(str(Path("server").absolute()), WorkerConfig(cores=slots)) as cluster:
        client = cluster.client()
        job = Job(default_workdir=Path.cwd())
        for number in range(1, count + 1):
            output = {name: f"out/{number}.{name}" for name in ("stdout", "stderr")}
            job.program([word.replace("{}", str(number)) for word in words], **output)
        client.wait_for_jobs([client.submit(job)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
