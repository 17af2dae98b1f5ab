"""`make drill`: takes something away under load and says what the users noticed."""
