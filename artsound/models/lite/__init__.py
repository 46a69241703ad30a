"""The lite models: small, trained, embedded; stand-ins for the paper's, and named as such."""
