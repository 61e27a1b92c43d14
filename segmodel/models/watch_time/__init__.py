"""Watch time as its own field predicts it: five ways to answer, on one backbone, features and recipe of training."""
