"""What sessions leave behind: notes, memories, habits."""
