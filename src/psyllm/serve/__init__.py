"""A person's words in, an answer or a counsellor out."""
