"""Stores: places where enrollments live, behind one port and with one codec (laws S1 to S8).

In memory, in SQLite, in PostgreSQL; or in whichever of these two a host reaches with Django or SQLAlchemy.
"""
