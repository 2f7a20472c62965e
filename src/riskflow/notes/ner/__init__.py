"""Recognition of names and places by a small spaCy pipeline that the workflow trains itself."""
