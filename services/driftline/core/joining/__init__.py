"""Which label belongs to which prediction: a function of the two logs, whatever the timing."""
