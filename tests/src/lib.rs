//! What no single package can test: house rules, conformance, simulation, and the harness of the
//! scenarios.

#![forbid(unsafe_code)]

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod conformance;
pub mod fuzz;
mod seeds;
pub mod simulation;
#[cfg(test)]
mod tidy;
