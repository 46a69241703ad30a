"""Where a build's shards are made besides this machine: on a SLURM or a Ray cluster.

`engine.py` runs them here; `run.py` chooses. The bytes are the same wherever they are made.
"""

from typing import Literal

Executor = Literal["local", "slurm", "ray"]
