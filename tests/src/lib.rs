//! What no single package can test: house rules, conformance, simulation, and the harness of the
//! scenarios.

#![forbid(unsafe_code)]

#[cfg(test)]
mod tidy;
