"""A checkpoint in, scores and words out; the only place where a dialogue becomes a prompt."""
