"""A second opinion on Driftline: it reads the topics and shares no code with the services."""
