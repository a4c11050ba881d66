"""Records are split without leaks and described: `3_corpus`."""
