//! Log lines: what a line is (its template), and how strange it is for this subject.

mod miner;
mod parameter;
mod rate;
mod session;
mod stream;
mod template;
mod token;
mod words;

pub use miner::{Mined, Miner};
pub use parameter::{Parameter, ParameterValue};

pub(crate) use parameter::Watches;
pub(crate) use session::{ALL_STEPS, Ended, Sessions};
pub(crate) use stream::{Stream, TemplateStats};
pub(crate) use template::{Match, TemplateIndex, Templates};
pub(crate) use words::{errors, worst};
