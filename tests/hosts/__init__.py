"""Hosts that keep their own data with Django and SQLAlchemy, and the store in the same transactions."""
