"""The project's own application."""
