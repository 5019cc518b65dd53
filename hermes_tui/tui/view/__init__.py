"""Line-API widgets: they draw data, and know nothing of turns."""
