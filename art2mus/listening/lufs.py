"""Programme loudness as broadcasters measure it (ITU-R BS.1770-4), of one channel at 48 kHz."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE: Final = 48_000  # the rate that the standard states its filters for
# K-weighting: the head's high shelf, then the revised low-frequency B curve (tables 1 and 2).
_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_OFFSET: Final = -0.691
_BLOCK: Final = RATE * 4 // 10  # samples of a gating block, which overlap by 75 %
_STEP: Final = RATE // 10
_ABSOLUTE: Final = -70.0
_RELATIVE: Final = -10.0


def integrated_loudness(samples: NDArray[np.float32]) -> float | None:
    """Measure how loud a clip is to people, its silent passages left out.

    Source: ITU-R BS.1770-4, annex 1, equations 1 to 7: K-weighted power in blocks of 400 ms,
    gated at -70 LUFS and then at 10 LU below the mean of what is left.

    Args:
        samples: mono, full scale is 1, at 48 kHz, shape (samples,), 0.4 s or more.

    Returns:
        LUFS; None for silence, which no gain makes as loud as anything.

    Raises:
        ValueError: it is shorter than a block.
    """
    if len(samples) < _BLOCK:
        raise ValueError(f"{len(samples)} samples are fewer than a block's {_BLOCK}")
    weighted = lfilter(*_HIGH_PASS, lfilter(*_SHELF, samples.astype(np.float64)))
    starts = np.arange(0, len(weighted) - _BLOCK + 1, _STEP)
    summed = np.concatenate([[0.0], np.cumsum(weighted**2)])
    power = (summed[starts + _BLOCK] - summed[starts]) / _BLOCK
    heard = power[power > _power(_ABSOLUTE)]
    if not len(heard):
        return None
    loud = heard[heard > _power(_loudness(float(heard.mean())) + _RELATIVE)]
    return _loudness(float(loud.mean()))


def _loudness(power: float) -> float:
    return _OFFSET + 10 * float(np.log10(power))


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))
