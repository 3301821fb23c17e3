"""The same enrollments beside other people's engines, queues and schedulers: see `comparing.py` one folder up.

Every module `on_*.py` is a program of its own, in the environment of the peers, which knows nothing of this project:

    python -m benchmarks.peers.on_celery '{"place": "redis://...", "mails": "a file", "enrollments": 2000, ...}'

It enrolls, runs every step to its end, and leaves one line a mail in the file. `work.py` is what they share.
"""
