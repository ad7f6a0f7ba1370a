#![allow(clippy::unwrap_used)]

mod bodies;
mod fixture;
mod frames;
mod rules;
mod unkept;
