"""What a brand may know about itself: one query feeds the screen, the file and the API. Aggregates only, no texts, no names."""
