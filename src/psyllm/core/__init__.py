"""Records, settings, errors and stages: the floor that everything stands on."""
