"""The benchmark: metrics, the embedders that they rest on, and the evaluation of a set of music."""
