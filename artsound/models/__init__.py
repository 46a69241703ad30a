"""Models: one Protocol a role, a registry of names, and a file a model family."""
