"""Pure functions on Chinese text; no input or output."""
