"""Ports that come with the package: mail by SMTP, into a Maildir, onto the console, and into a test's memory.

Beside them stands what lets others tick: an application for Django, and jobs of procrastinate.
"""
