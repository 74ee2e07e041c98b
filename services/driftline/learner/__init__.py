"""River pipelines that learn from the journal, are judged, and make versions."""
