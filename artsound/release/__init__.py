"""The released dataset: splits, shards, card and manifest."""
