"""What every store, mailer, task board and clock keeps to, as tests for those who write their own.

Each contract is a class of tests. A subclass in a test module says how the thing is made, and pytest finds the rest.
The contracts need the extra `testing`, for pytest; the failure of an `assert` in them is told best where pytest has
rewritten this package, which the plugin of the kit sees to.
"""
