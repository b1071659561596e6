"""What callers are told of the HTTP interface: an OpenAPI document and a Power Platform connector, both made
from the application's own models, one table of routes and one table of fields."""
