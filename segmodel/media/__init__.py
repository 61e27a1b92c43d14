"""Pictures and clips cut out of raw videos by what a model predicts."""
