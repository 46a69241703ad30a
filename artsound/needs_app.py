"""`artsound models`: options in, one call each."""

from __future__ import annotations

from typing import Annotated

import typer

from artsound.errors import ArtsoundError

app = typer.Typer(
    help="Say which models recipes need, what of them is on this machine, and download the rest.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting.")
]


@app.callback()
def _models() -> None:
    """Say which models recipes need, what of them is on this machine, and download the rest."""


@app.command(
    "list",
    epilog="Examples:\n\n[bold]artsound models list[/]\n\n[bold]artsound models list paper[/]",
)
def list_(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A recipe; all models if not given.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Print the models of a recipe: weights, revision, licence, size, memory, and what is here."""
    from artsound.needs import everything, needs, needs_table
    from artsound.recipe import Recipe
    from artsound.table import show_tables

    wanted = needs(Recipe.read(recipe, settings or ())) if recipe else everything()
    table = needs_table(f"models of the recipe {recipe}" if recipe else "all models", wanted)
    show_tables([table])


@app.command(
    epilog="Examples:\n\n[bold]artsound models pull paper[/]\n\n"
    "[bold]artsound models pull --model imagebind[/]"
)
def pull(
    recipe: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="A recipe.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model by its name; may be repeated.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Download the weights of a recipe's models, for machines without a network when building."""
    from rich.console import Console

    from artsound.errors import UsageError
    from artsound.needs import named, needs
    from artsound.needs import pull as bring
    from artsound.recipe import Recipe

    if not recipe and not model:
        raise UsageError("say which recipe's models to download, or --model NAME")
    read = Recipe.read(recipe, settings or ()) if recipe else None
    wanted = named(model, read) if model else needs(read) if read else []
    console = Console(highlight=False)
    problems = bring(wanted, lambda line: console.print(line, markup=False, soft_wrap=True))
    for problem in problems:
        console.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise ArtsoundError(f"not all weights are here ({len(problems)} missing): see above")
    console.print("all weights are on this machine")
