//! Seeded network impairments between real or simulated endpoints.
