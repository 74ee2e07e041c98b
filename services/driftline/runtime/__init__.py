"""What every process needs: settings, logs, metrics, the batch consumer, checkpoints, outputs."""
