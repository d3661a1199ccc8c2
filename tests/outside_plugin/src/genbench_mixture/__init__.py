"""A Gaussian mixture, and the distance to the nearest sample, for genbench; registered in `plugin`."""
