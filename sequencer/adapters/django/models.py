"""No models: the tables are the store's. But only an application with this module is told of the end of `migrate`."""
