"""What `driftline doctor` looks for: one file per question, pure functions of the evidence."""
