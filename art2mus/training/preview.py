"""What a training would be, for people: its settings and its arithmetic."""

from __future__ import annotations

from art2mus.training.plan import Plan
from art2mus.training.settings import TrainSettings
from artsound.errors import UsageError

_PROCESSES = (1, 2, 4, 8)


def preview(release: str, settings: TrainSettings, plan: Plan) -> str:
    """Return the settings, and how batches, epochs and steps come about.

    Args:
        release: its name.
        settings: the recipe.
        plan: its steps on the release.
    """
    lines = [f"recipe {settings.name}: {settings.summary}", f"release {release}", ""]
    lines += [f"{key} = {_shown(value)}" for key, value in settings.flat().items()]
    lines += ["", plan.describe()]
    spreads = []
    for processes in _PROCESSES:
        try:
            other = Plan.make(plan.rows, settings, processes)
        except UsageError:
            continue
        spreads.append(f"on {processes}: {other.per_process} x {processes} x {other.accumulation}")
    return "\n".join(
        [*lines, f"the same batch on other numbers of processes: {'; '.join(spreads)}"]
    )


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)
