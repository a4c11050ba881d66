"""Adapters that read pages of question-and-answer sites: one file a site, one for every other page."""
