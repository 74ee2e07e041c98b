"""What the registry holds and how its owner decides: a fold over facts, and decisions on it."""
