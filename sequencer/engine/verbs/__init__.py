"""The verbs and reads of an engine, by what they are about."""
