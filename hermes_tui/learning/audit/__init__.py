"""Looking over all skills: what fails, what is out of date, what contradicts."""
