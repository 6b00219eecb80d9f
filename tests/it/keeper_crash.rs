//! A keeper, killed at each of its calls in turn.
