"""`python -m art2mus`, as `torchrun -m art2mus` needs it."""

from art2mus.cli import main

main()
