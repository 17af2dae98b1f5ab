"""Commands for people: bring a stack up, look at it, prove what it promises, take it down."""
