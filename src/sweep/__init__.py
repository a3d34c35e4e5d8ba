"""A sweep: many runs under one parent, and what comes of putting them side by side. Nothing here knows of Keras."""
