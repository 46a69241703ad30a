"""The toy prior: a small backbone in AudioLDM 2's layout, trained on a release's own music.

It takes AudioLDM 2's place where no hub can be reached, so that training, sampling, validation and
benchmark run for real and can be heard. It knows a few minutes of music and nothing else: whatever
is measured with it says that the machinery works, and nothing about AudioLDM 2 or the paper.
"""
