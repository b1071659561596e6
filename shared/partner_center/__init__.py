"""Partner Center's REST API as this application uses it: orders, attachments, indirect resellers."""
