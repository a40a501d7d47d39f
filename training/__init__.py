"""Code that makes the models shipped with genrm; not part of the installed package."""
