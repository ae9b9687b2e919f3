//! Quick starts for people who embed the client.
