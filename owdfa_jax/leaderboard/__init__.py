"""Many runs on one dataset, to one table: methods by seeds."""
