"""What is common to live things: a search, a training. Knows neither of them."""
