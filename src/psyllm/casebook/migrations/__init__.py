"""The casebook's tables, one change after the other."""
