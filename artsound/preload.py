"""The slow imports of worker processes, done once in the process that they are forked from.

A worker would otherwise spend seconds of every stage importing torch and transformers. Importing
starts no threads, which is what makes forking afterwards safe.
"""

import librosa
import torch
import transformers

import artsound.engine

__all__ = ["artsound", "librosa", "torch", "transformers"]
