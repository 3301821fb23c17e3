"""What is valid but unwise about a design: the table of codes, and the rules that find them."""
