"""User studies: a page on which people tell real images from generated ones, and what their answers come to."""
