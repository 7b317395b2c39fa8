"""Where the tail of the distribution is cut before a token is drawn: llama.cpp's own defaults.

In this order, each over what the one before left, and before the temperature is applied. They are
part of what a seed means, so every engine has the same.
"""

TOP_K = 40  # the likeliest tokens
TOP_P = 0.95  # the fewest of them that have this share together
MIN_P = 0.05  # those with this share of the likeliest one's probability
