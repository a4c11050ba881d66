"""The stages of training, on words and on ratings: `4_models`."""
