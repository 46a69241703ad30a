"""Any class with `load()` and `generate(images, seconds, seeds)`, as `module:Class`.

    class Mine:
        sample_rate = 16000

        def load(self) -> None:
            self.network = ...

        def generate(self, images, seconds, seeds):
            return [self.network(image, seconds, seed) for image, seed in zip(images, seeds)]

`images` are Pillow images in RGB, `seeds` integers, one each; a waveform is an array or a tensor of
shape (samples,) or (channels, samples), of floats with full scale 1 or of int16, int32 or uint8 as
WAV files hold them, at `sample_rate`, which may also be set by `load`. A dictionary `about`
(encoder, tokens, training_hours, license, weights, ...) goes into the results. `--set key=value`
becomes an argument of the constructor: a number or true/false where it is written as in JSON, else
a text. What the class raises is shown as one line that names it and its place.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from art2mus.benchmark.models.base import Sound, Task, sound_of
from art2mus.benchmark.models.faults import blamed
from artsound.errors import ArtsoundError, UsageError

if TYPE_CHECKING:
    from art2mus.data import Media

_METHODS: Final = {"load": (), "generate": ("images", "seconds", "seeds")}


class Custom:
    """A model of the user's.

    Args:
        target: `module:Class`; the module may lie in the current folder.
        options: arguments of the constructor.

    Raises:
        UsageError: there is no such module or class, or it lacks a method; names what is missing.
        ArtsoundError: the module raises something while it is imported.
    """

    def __init__(self, target: str, options: Mapping[str, str]) -> None:
        self.target = target
        self._class = _import(target)
        self._options = {name: _value(text) for name, text in options.items()}
        _check(target, self._class, self._options)
        self._source = inspect.getsourcefile(self._class)
        self._made: Any = None

    def open(self, task: Task) -> Mapping[str, Any]:
        """Return what tells this model from another: its name, its source and its options.

        Raises:
            ArtsoundError: the class raises something while it is made.
        """
        digest = hashlib.sha256(Path(self._source).read_bytes()).hexdigest() if self._source else ""
        with blamed(f"{self.target}()", self._source):
            self._made = self._class(**self._options)
        return {"class": self.target, "source_sha256": digest, "options": self._options}

    def about(self) -> Mapping[str, Any]:
        """Return the class's own `about`, which must be JSON-able.

        Raises:
            UsageError: it is not.
        """
        with blamed(f"{self.target}.about", self._source):
            found = getattr(self._made, "about", {})
        try:
            return dict(json.loads(json.dumps(found)))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self.target}: `about` is no JSON-able dictionary") from error

    def load(self) -> None:
        """Load it.

        Raises:
            ArtsoundError: it raises something.
            UsageError: it has no sample rate then.
        """
        with blamed(f"{self.target}.load", self._source):
            self._made.load()
            rate = getattr(self._made, "sample_rate", None)
        if not isinstance(rate, int) or rate < 1:
            raise UsageError(
                f"{self.target} has no sample_rate: set it to Hz, an integer, in the class or by"
                " load()"
            )

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Generate from the artworks.

        Raises:
            ArtsoundError: it raises something, or returns another number of waveforms, or what is
                none.
        """
        images = [item.image() for item in items]
        with blamed(f"{self.target}.generate", self._source):
            returned = self._made.generate(images, seconds, list(seeds))
            made = list(returned) if hasattr(returned, "__len__") else None
        if made is None or len(made) != len(items):
            got = f"a {type(returned).__name__}" if made is None else f"{len(made)} waveforms"
            raise ArtsoundError(
                f"{self.target}: generate returned {got} for {len(items)} images: return a list"
                " with one each"
            )
        rate = self._made.sample_rate
        return [
            sound_of(one, rate, f"{self.target}: what it generated for {item.pair.pair_id}")
            for one, item in zip(made, items, strict=True)
        ]


def _import(target: str) -> Any:
    name, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{target}: {name!r} is no module's name: write module:Class")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with blamed(f"import {name}", passing=(ImportError,)):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"{name} cannot be imported: {error}: install what it needs") from None
        raise UsageError(
            f"no module {name!r} for the model {target}: it lies neither in {here} nor among the"
            " installed packages"
        ) from None
    except ImportError as error:
        raise UsageError(f"{name} cannot be imported: {error}") from error
    found = getattr(module, attribute, None)
    if not inspect.isclass(found):
        classes = [key for key, value in vars(module).items() if inspect.isclass(value)]
        what = "is no class" if found is not None else "is not there"
        raise UsageError(
            f"{target}: {attribute or 'the class'} {what}; {name} has"
            f" {', '.join(classes) or 'no classes'}"
        )
    return found


def _check(target: str, kind: Any, options: Mapping[str, Any]) -> None:
    lacking = [name for name in _METHODS if not callable(getattr(kind, name, None))]
    if lacking:
        wanted = " and ".join(f"{name}({', '.join(_METHODS[name])})" for name in lacking)
        raise UsageError(f"{target} lacks {wanted}: a model has both load and generate")
    for name, arguments in _METHODS.items():
        if not _fits(getattr(kind, name), (None, *arguments), {}):
            raise UsageError(
                f"{target}: {name}{_signature(getattr(kind, name))} cannot be called as"
                f" {name}({', '.join(arguments)})"
            )
    if not _fits(kind, (), options):
        given = ", ".join(options) or "nothing"
        raise UsageError(
            f"{target}{_signature(kind)} cannot be made with {given}: give its arguments with"
            " --set key=value"
        )


def _fits(function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> bool:
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in another language: it cannot be known
        return True
    try:
        signature.bind(*given, **named)
    except TypeError:
        return False
    return True


def _signature(function: Callable[..., Any]) -> str:
    try:
        return str(inspect.signature(function))
    except ValueError:
        return "(...)"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
