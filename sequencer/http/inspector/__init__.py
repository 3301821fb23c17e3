"""The inspector: pages for people, rendered here, that show what is enrolled and why everything is when it is.

They need no script, nothing from a network and no build: HTML and one style sheet. `inspector` makes the application
that serves them, and `mount` puts it under a path of a host's own.
"""

from sequencer.http.inspector.pages import inspector, mount

__all__ = ["inspector", "mount"]
