"""The roles that chat models play: captioning artworks and music, and merging captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Self

from artsound.models.base import ArtworkRequest, FusionRequest, Modality, SegmentRequest
from artsound.models.chat.address import api_key
from artsound.models.chat.cache import RequestCache
from artsound.models.chat.client import ChatClient, ChatRequest, as_is
from artsound.models.chat.engines import for_transformers
from artsound.models.chat.errors import RefusedError, ReplyError
from artsound.models.chat.parts import Part, audio_part, image_part, text_part, user_message
from artsound.models.chat.probe import probe
from artsound.models.chat.replies import Reply, caption_of
from artsound.models.chat.sampling import Sampling, check_options

if TYPE_CHECKING:
    from artsound.models.setup import Setup

# LLaVA-1.6 sees at most 672 x 672 or 336 x 1008 pixels of an image, in tiles.
IMAGE_SIDE: Final = 1024
# What Qwen2-Audio and the Omni models hear.
SAMPLE_RATE: Final = 16_000


class _ChatModel:
    """What the roles share: asking, and keeping whose fault a failure is.

    Args:
        client: reaches the model.
        name: its registry name.
        sampling: how replies are made.
        probed: whether `check` asks about a small image or sound first.
    """

    modality: ClassVar[Modality] = "text"
    options: ClassVar[dict[str, type]] = {"probe": bool}

    def __init__(
        self,
        client: ChatClient,
        *,
        name: str = "chat",
        sampling: Sampling | None = None,
        probed: bool = True,
    ) -> None:
        self.client = client
        self.name = name
        self.sampling = sampling or Sampling()
        self.probed = probed
        self._trusted = not probed
        self._left: dict[str, str | Exception] = {}

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Return the model as a recipe wants it; nothing is asked yet.

        Raises:
            UsageError: nothing serves it, or the settings do not fit it.
            ArtsoundError: the request cache cannot be read.
        """
        settings = setup.settings
        check_options(setup.name, settings.options, cls.options)
        # transformers seeds all of torch for each request: sampled ones would disturb each other.
        alone = settings.engine == "transformers" and settings.temperature > 0
        client = ChatClient(
            setup.endpoint(),
            setup.served_name(),
            # A server that the build has started knows no key.
            api_key=None if setup.served_at else api_key(settings.api_key_env),
            timeout_s=settings.timeout_s,
            retries=settings.retries,
            concurrency=1 if alone else settings.concurrency,
            cache=RequestCache(setup.cache) if setup.cache else None,
            adapt=for_transformers if settings.engine == "transformers" else as_is,
        )
        own = {name: settings.options[name] for name in cls.options if name in settings.options}
        probed = bool(own.pop("probe", True))
        sampling = Sampling.of(settings)
        return cls(client, name=setup.name, sampling=sampling, probed=probed, **own)

    def check(self) -> None:
        """See that the model takes what its role gives it; costs two replies of one token.

        Raises:
            EndpointError: it does not, or the endpoint cannot be used.
        """
        if self.probed:
            probe(self.client, self.name, self.modality, self.sampling)
        self._trusted = True

    def _captions(self, asked: Sequence[tuple[str, int, list[Part]]]) -> list[str]:
        """Return the captions in the replies to (item, attempt, parts).

        A failure is raised, as batches want it; asked again one by one, the items give what they
        came to, and the endpoint is not asked twice.
        """
        requests = [
            ChatRequest(
                item,
                attempt,
                {"messages": user_message(parts), **self.sampling.fields(attempt)},
            )
            for item, attempt, parts in asked
        ]
        if self._left and len(requests) == 1:
            left = self._left.pop(self.client.key(requests[0]), None)
            found = self._asked(requests) if left is None else [left]
        else:
            found = self._asked(requests)
            self._left = {}
        failures = [outcome for outcome in found if isinstance(outcome, Exception)]
        if failures:
            if len(found) > 1:
                keys = (self.client.key(request) for request in requests)
                self._left = dict(zip(keys, found, strict=True))
            raise failures[0]
        return [outcome for outcome in found if isinstance(outcome, str)]

    def _asked(self, requests: Sequence[ChatRequest]) -> list[str | Exception]:
        replies = self.client.complete(requests)
        refused = any(isinstance(reply, RefusedError) for reply in replies)
        if refused and not self._trusted:
            self.check()  # a model that takes no images refuses every one: no item is at fault
        found: list[str | Exception] = []
        for reply in replies:
            try:
                found.append(caption_of(reply) if isinstance(reply, Reply) else reply)
            except ReplyError as error:
                found.append(error)
        return found


class ChatArtworkCaptioner(_ChatModel):
    """Captions artworks by asking a chat model that sees.

    Args:
        client: reaches the model.
        name: its registry name.
        sampling: how replies are made.
        probed: whether `check` asks about a small image first.
        image_side: images are sent at most so long on their longer side, in pixels.
    """

    modality = "image"
    options: ClassVar[dict[str, type]] = {"probe": bool, "image_side": int}

    def __init__(
        self,
        client: ChatClient,
        *,
        name: str = "chat",
        sampling: Sampling | None = None,
        probed: bool = True,
        image_side: int = IMAGE_SIDE,
    ) -> None:
        super().__init__(client, name=name, sampling=sampling, probed=probed)
        self.image_side = image_side

    def caption(self, requests: Sequence[ArtworkRequest]) -> list[str]:
        """Return one caption a request; an empty string says that the model gave up.

        Raises:
            ReplyError: of the first request that has no usable reply.
            EndpointError: nothing can be asked.
        """
        return self._captions(
            [
                (
                    request.item_id,
                    request.feedback.attempt,
                    [image_part(request.image, self.image_side), text_part(request.prompt)],
                )
                for request in requests
            ]
        )


class ChatSegmentCaptioner(_ChatModel):
    """Captions music by asking a chat model that hears.

    Args:
        client: reaches the model.
        name: its registry name.
        sampling: how replies are made.
        probed: whether `check` asks about a short sound first.
        sample_rate: of the audio that is sent, in Hz.
        prompt: whether the instruction is sent; some captioners take audio alone.
    """

    modality = "audio"
    options: ClassVar[dict[str, type]] = {"probe": bool, "sample_rate": int, "prompt": bool}

    def __init__(
        self,
        client: ChatClient,
        *,
        name: str = "chat",
        sampling: Sampling | None = None,
        probed: bool = True,
        sample_rate: int = SAMPLE_RATE,
        prompt: bool = True,
    ) -> None:
        super().__init__(client, name=name, sampling=sampling, probed=probed)
        self.sample_rate = sample_rate
        self.prompt = prompt

    def caption(self, requests: Sequence[SegmentRequest]) -> list[str]:
        """Return one caption a request; an empty string says that the model gave up.

        Raises:
            ReplyError: of the first request that has no usable reply.
            EndpointError: nothing can be asked.
        """
        return self._captions(
            [
                (
                    request.item_id,
                    1,
                    [
                        audio_part(request.waveform, request.sample_rate),
                        *([text_part(request.prompt)] if self.prompt else []),
                    ],
                )
                for request in requests
            ]
        )


class ChatFuser(_ChatModel):
    """Merges segment captions by asking a chat model."""

    def fuse(self, requests: Sequence[FusionRequest]) -> list[str]:
        """Return one fused caption a request; an empty string says that the model gave up.

        Raises:
            ReplyError: of the first request that has no usable reply.
            EndpointError: nothing can be asked.
        """
        return self._captions(
            [
                (request.item_id, request.feedback.attempt, [text_part(request.prompt)])
                for request in requests
            ]
        )
