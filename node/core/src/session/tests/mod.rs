#![allow(clippy::unwrap_used)]

mod fixture;
mod frames;
mod rules;
mod unkept;
