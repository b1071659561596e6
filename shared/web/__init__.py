"""HTTP, as the functions answer it: the types of azure.functions end here."""
