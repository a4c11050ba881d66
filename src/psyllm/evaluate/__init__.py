"""A model is measured: `5_reports`."""
