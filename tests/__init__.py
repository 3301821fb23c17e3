"""The tests, which mirror the package; what takes long is marked `slow`."""
