"""How each tool's calls look in the transcript."""
