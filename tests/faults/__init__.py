"""The fault harness: what is promised is attacked, and the count is printed (`python -m tests.faults`).

Each fault finds the points at which it can strike by itself: a clean run of the same story counts the commits and the
calls of ports, and then there is one run for each of them. In the end a judge who knows nothing of the engine reads the
mailer's own log, the task board and the histories, and counts what went wrong.
"""
