"""The `datasets.Audio` feature without torchcodec: soundfile decodes and encodes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from datasets import Audio

from artsound.errors import ArtsoundError


@dataclass
class SoundfileAudio(Audio):  # type: ignore[misc]
    """Decodes to a dictionary of `array`, `sampling_rate` (Hz) and `path`.

    `array` is float32 of shape (samples,), or (samples, channels) where there are several. On disk
    it is an ordinary `Audio` column: whatever is saved opens everywhere.
    """

    _type: str = field(default="Audio", init=False, repr=False)

    def encode_example(self, value: Any) -> dict[str, Any]:
        """Return the stored form, `bytes` and `path`; decoded samples become a float WAV file."""
        if isinstance(value, dict) and "array" in value:
            buffer = io.BytesIO()
            samples = np.asarray(value["array"], dtype=np.float32)
            soundfile.write(
                buffer, samples, int(value["sampling_rate"]), format="WAV", subtype="FLOAT"
            )
            path = value.get("path")
            return {
                "bytes": buffer.getvalue(),
                "path": str(Path(path).with_suffix(".wav")) if path else None,
            }
        if isinstance(value, dict):
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        if isinstance(value, bytes | bytearray):
            return {"bytes": bytes(value), "path": None}
        return {"bytes": None, "path": str(value)}

    def decode_example(
        self, value: dict[str, Any], token_per_repo_id: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the samples of a stored file.

        Raises:
            ArtsoundError: the release has no media, or soundfile cannot decode the file.
        """
        if "array" in value:
            return value
        data, path = value["bytes"], value["path"]
        if data is None and not (path and Path(path).is_file()):
            raise ArtsoundError(
                f"{path or 'a row'}: this release holds no audio: `artsound hydrate` fills it from"
                " the archives"
            )
        try:
            array, rate = soundfile.read(
                path if data is None else io.BytesIO(data), dtype="float32"
            )
        except soundfile.LibsndfileError as error:
            raise ArtsoundError(
                f"{path}: soundfile cannot decode it ({error}); install torchcodec, which knows"
                " more formats"
            ) from error
        return {"array": array, "sampling_rate": rate, "path": path}

    def cast_storage(self, storage: Any) -> Any:
        """Return an Arrow array in the stored form, decoded samples among it encoded."""
        decoded = pa.types.is_struct(storage.type) and storage.type.get_field_index("array") >= 0
        if decoded:
            rows = [row and self.encode_example(row) for row in storage.to_pylist()]
            storage = pa.array(rows, self.pa_type)
        return super().cast_storage(storage)
