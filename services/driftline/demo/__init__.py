"""The whole loop on real data: servers, services, a production app, a fault, an alert."""
