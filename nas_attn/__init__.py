"""Neural architecture search over attention placements in CNNs."""
