"""From a picture and words to a point, a box or a crop."""
