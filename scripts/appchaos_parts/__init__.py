"""The parts of the chaos under API v2: one app, its worker and its filters, disturbed and accounted for."""
