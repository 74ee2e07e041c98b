"""The HTTP API: what is in force, what was found, and commands to the registry."""
