"""The monitor's decisions: one fold over a journal partition."""
