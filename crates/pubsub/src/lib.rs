//! CoAP publish/subscribe: topics, retained values and subscriptions, sans-I/O.
