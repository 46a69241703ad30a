"""KL divergence between what a classifier hears in the real and in the generated clip.

Equation 12 of the paper over label distributions, as haoheliu/audioldm_eval's `calculate_kl`
computes it: KL(truth || generated) = sum_i p_i (log p_i - log(q_i + 1e-6)), natural logarithm,
the mean over clips. p and q are the classifier's outputs through softmax, which AudioGen began
(Kreuk et al. 2023, arXiv 2209.15352), or label by label through the sigmoid, of which the same sum
is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, softmax, xlogy

from art2mus.benchmark.metrics.base import Array, Floats, Measurement, Metric, mean_of

Activation = Literal["softmax", "sigmoid"]

EPSILON: Final = 1e-6


def kl_divergence(
    truth: ArrayLike, generated: ArrayLike, activation: Activation = "softmax"
) -> Floats:
    """Return the divergence of each pair of clips, shape (n,).

    Because of the 1e-6 inside the logarithm equal clips come out a little below zero: by at most
    1e-6 for each label.

    Args:
        truth: a classifier's outputs before the activation, shape (n, labels).
        generated: the same of the generated clips.
        activation: `softmax`, a distribution; or `sigmoid`, which is none: its sum has no lower
            bound of zero.

    Raises:
        ValueError: the shapes differ.
    """
    logits = [np.asarray(given, np.float64) for given in (truth, generated)]
    if logits[0].shape != logits[1].shape or logits[0].ndim != 2:
        raise ValueError(f"outputs of shapes {logits[0].shape}, {logits[1].shape}: expected (n, l)")
    p, q = (softmax(one, axis=1) if activation == "softmax" else expit(one) for one in logits)
    made: Floats = (xlogy(p, p) - p * np.log(q + EPSILON)).sum(axis=1)
    return made


def measure(
    activation: Activation,
    generated: Sequence[Array],
    reference: Sequence[Array],
    random: np.random.Generator,
) -> Measurement:
    """Measure; both hold a classifier's outputs for a clip each, shape (labels,)."""
    items = kl_divergence(np.stack(list(reference)), np.stack(list(generated)), activation)
    if activation == "softmax":
        items = np.maximum(items, 0.0)  # the 1e-6 alone takes equal clips below
    labels = len(generated[0])
    return mean_of(items, random, labels=labels)


KL_SOFTMAX: Final = Metric(
    name="kl-softmax",
    version="1",
    higher_is_better=False,
    feature="logits",
    counterpart="music",
    measure=partial(measure, "softmax"),
    summary="KL(truth || generated) of a classifier's label distributions, softmax, in nats",
    caveat="silence and noise, of which a classifier claims little, may score better than the wrong"
    " music (the control `shuffled`); not the paper's 0.003, see `spectrum-kl`",
)
KL_SIGMOID: Final = Metric(
    name="kl-sigmoid",
    version="1",
    higher_is_better=None,
    feature="logits",
    counterpart="music",
    measure=partial(measure, "sigmoid"),
    summary="the same sum over label probabilities, sigmoid: for clips with several labels",
    caveat="not a divergence between distributions: it may be negative, and less is not better;"
    " given because audioldm_eval gives it",
)
