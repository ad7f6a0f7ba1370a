#![allow(clippy::unwrap_used)]

mod bodies;
mod bulk;
mod catch_up;
mod claims;
mod cosignatures;
mod doubts;
mod fixture;
mod frames;
mod handing;
mod quota;
mod rules;
mod unkept;
