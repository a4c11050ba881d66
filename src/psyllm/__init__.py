"""Psy-LLM: a supervised mental-health question and answer platform for Chinese."""
