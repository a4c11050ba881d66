"""Records are mended or dropped with a reason: `2_cleaned`."""
