//! Metrics: one model for each metric of a subject, combined into one verdict on the row.

mod channel;
mod counts;
mod forecast;
mod model;
mod novelty;
mod row;
mod season;
mod together;
mod unit;

pub(crate) use row::{Beside, Row};
pub(crate) use unit::is_counter;
pub use unit::unit;
