"""Two stages of training: `4_models`."""
