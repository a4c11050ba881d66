"""What is dangerous and what to do: levels, lexicon, guard, help lines."""
