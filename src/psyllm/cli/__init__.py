"""Words typed become one call of a room's run()."""
