//! Everything of Watchpost that touches the world: files, clocks, wasm guests.

pub mod engine;
pub mod guest;
pub mod recording;
pub mod simulate;
