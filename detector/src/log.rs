//! Log lines: what a line is (its template), and how strange it is for this subject.

mod novelty;
mod rate;
mod session;
mod stream;
mod template;
mod token;
mod vector;
mod words;

pub(crate) use session::{ALL_STEPS, Ended, Sessions};
pub(crate) use stream::{Stream, TemplateStats};
pub(crate) use template::{Match, TemplateIndex, Templates};
pub(crate) use vector::{BYTES as VECTOR_BYTES, Vectors, WIDTH as VECTOR_WIDTH};
pub(crate) use words::{errors, worst};
