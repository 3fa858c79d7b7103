"""The web interface: the support desk and the admin pages. `apps.PortalAdminConfig` loads it once the models are."""
