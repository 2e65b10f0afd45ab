from learning import digits, small_network

__all__ = ["digits", "small_network"]
