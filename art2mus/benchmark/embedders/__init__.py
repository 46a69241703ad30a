"""Audio embedders and classifiers that the metrics rest on, by name in `registry`."""
