"""Consented ratings and corrections become records: `6_feedback`."""
