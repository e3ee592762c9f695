"""What is remembered: SQLModel tables behind functions that speak the words of the domain."""
