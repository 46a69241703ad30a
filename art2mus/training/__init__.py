"""The parts of a training: its plan, its examples, its objective, its state and its log."""
