"""Everything kept about people: the one room that speaks SQL about them."""
