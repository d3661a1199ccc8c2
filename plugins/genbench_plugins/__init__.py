"""The plugins that come with genbench, using only what a third party may use."""
