"""From a checkpoint to sound files: the reverse diffusion, and `art2mus sample` around it."""
