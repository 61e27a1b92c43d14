"""Click-through-rate models: fields of ids, with the user's history in the sequential ones."""
