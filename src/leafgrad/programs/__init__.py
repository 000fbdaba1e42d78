"""Small programs of the command line. Their files count as the user's own: drawings show them."""
