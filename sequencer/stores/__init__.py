"""Stores: places where enrollments live, in memory and in SQLite, behind one port, with one codec (laws S1 to S8)."""
