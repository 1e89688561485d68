"""The hello worlds of `examples/`, as a user would run them."""
