"""The two samplers by name: the paper's DDIM, and DPM-Solver++ for fewer steps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from artsound.errors import UsageError

# By name, with the steps that each takes where none are asked for: the paper's 200 with DDIM.
USUAL_STEPS: Final[Mapping[str, int]] = {"ddim": 200, "dpm-solver++": 25}
SCHEDULERS: Final = tuple(USUAL_STEPS)


def make_scheduler(name: str | None, base: Any) -> Any:
    """Return a fresh scheduler over the noise schedule of the backbone's own.

    `ddim` is eq. 6 and 7 of the paper (Song et al. 2021, arXiv 2010.02502, eta 0), the paper's
    choice at 200 steps. `dpm-solver++` is the multistep solver of second order (Lu et al. 2022,
    arXiv 2211.01095), meant for 15 to 50 steps. Its steps are even in the log of the
    signal-to-noise ratio, as its authors have them, and end at the schedule's first noise level, as
    DDIM does here: steps even in time end several times further from the flow.

    Args:
        name: one of `SCHEDULERS`; None for another of the backbone's own kind.
        base: the backbone's scheduler; it is not changed.

    Raises:
        UsageError: there is no scheduler of that name.
    """
    import diffusers

    kinds: Any = diffusers  # its own annotations are incomplete
    if name is None:
        return type(base).from_config(base.config)
    if name == "ddim":
        return kinds.DDIMScheduler.from_config(base.config)
    if name == "dpm-solver++":
        return kinds.DPMSolverMultistepScheduler.from_config(
            base.config,
            algorithm_type="dpmsolver++",
            solver_order=2,
            use_lu_lambdas=True,
            final_sigmas_type="sigma_min",
        )
    near = difflib.get_close_matches(name, SCHEDULERS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"unknown scheduler {name!r}: {hint}there is {', '.join(SCHEDULERS)}")


def usual_steps(scheduler: Any) -> int:
    """Return how many steps a scheduler takes where none are asked for; see `USUAL_STEPS`."""
    solver = type(scheduler).__name__ == "DPMSolverMultistepScheduler"
    return USUAL_STEPS["dpm-solver++" if solver else "ddim"]


def set_steps(scheduler: Any, steps: int, device: Any) -> Any:
    """Set a scheduler's timesteps and return them, shape (steps,), from noise to music.

    Raises:
        UsageError: the schedule has no so many steps.
    """
    total = int(scheduler.config.num_train_timesteps)
    if not 1 <= steps <= total:
        raise UsageError(f"{steps} sampling steps: give 1 to {total}")
    scheduler.set_timesteps(steps, device=device)
    if int(scheduler.timesteps.max()) >= total:
        # With `steps_offset=1` all 1,000 steps would begin one past the schedule's end.
        raise UsageError(f"{steps} sampling steps: give 1 to {total - 1}")
    return scheduler.timesteps
