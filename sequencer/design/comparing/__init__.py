"""What is different between two designs: in words, in their timelines, in their verdicts."""
