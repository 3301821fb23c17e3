"""The shell around the core: it owns the clock, the transaction and the wire."""
