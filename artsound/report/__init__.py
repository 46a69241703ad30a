"""The report: the paper's tables and figures recomputed from ours, and a page to look and hear."""
