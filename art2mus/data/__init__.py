"""Reading a released dataset: its pairs, its media, and what is computed from them once.

`release` opens a folder or a repository; `prepare` builds the caches that training reads in place
of media.
"""

from art2mus.data.release import Release, check_release, open_release
from art2mus.data.rows import Media, Pair, Pairs

__all__ = ["Media", "Pair", "Pairs", "Release", "check_release", "open_release"]
