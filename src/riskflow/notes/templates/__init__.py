"""Clinical notes by composition, in which every identifier's kind and place is known."""
