"""What all rooms of the authorization server use: addresses, keys, requests and answers, outbound calls."""
