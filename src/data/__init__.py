"""Images: where they come from, how they are decoded once into a shared cache, and how they are split."""
