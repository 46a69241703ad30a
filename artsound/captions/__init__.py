"""Captions: of artworks, of music segments, of tracks, and the loop that refines them."""
