"""The monitor: folds the journal into verdicts and alerts."""
