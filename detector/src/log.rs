//! Log lines: what a line is (its template), and how strange it is for this subject.

mod awaited;
mod busiest;
mod miner;
mod novelty;
mod parameter;
mod rate;
mod session;
mod stream;
mod template;
mod token;
mod vector;
mod words;

pub use miner::{Mined, Miner};
pub use parameter::{Parameter, ParameterValue};
pub use session::SessionEvidence;

pub(crate) use awaited::{Awaited, Kind as AwaitedKind, Look, MOST_AWAITED};
pub(crate) use busiest::{Busiest, Busy};
pub(crate) use parameter::Watches;
pub(crate) use session::{ALL_EVENTS, ALL_PROFILES, ALL_STEPS, Ended, Origin, Sessions, session_in};
pub(crate) use stream::{Stream, TemplateStats};
pub(crate) use template::{Match, TemplateIndex, Templates};
pub(crate) use vector::{BYTES as VECTOR_BYTES, Vectors, WIDTH as VECTOR_WIDTH, word_hashes};
pub(crate) use words::{errors, worst};
