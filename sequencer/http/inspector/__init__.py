"""The inspector: pages for people, rendered here, that show what is enrolled and why everything is when it is.

They need no script, nothing from a network and no build: HTML and one style sheet. `inspector` makes the application
that serves them, to be mounted wherever a host likes.
"""

from sequencer.http.inspector.pages import inspector

__all__ = ["inspector"]
