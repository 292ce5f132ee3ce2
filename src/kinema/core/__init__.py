"""What every room shares: records, protocols, errors and mathematics. Imports nothing from kinema."""
