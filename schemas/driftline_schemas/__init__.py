"""What crosses a topic or the HTTP API, and its codec."""
