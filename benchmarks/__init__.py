"""Speed against peers: the same work, the ways in turn, ratios within one round."""
