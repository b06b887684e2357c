//! Measures inside Envoy what hostcalls cost, where it matters: in `proxy_on_log` of requests that really pass, with
//! caches as a request leaves them, and not in a tight loop, which shows half of the price.
//!
//! A `Sequence` of calls stands between two readings of the clock. The clock ticks in microseconds, but the mean of
//! thousands of readings does not. The sequences take turns in blocks of requests, because the first requests after a
//! change pay for the change. After every turn the means since the start are written to Envoy's log, as one line of
//! JSON after `hostcalls: `.

#![allow(
    unsafe_code,
    reason = "the calls are what is measured, so nothing may stand between them and the host"
)]

mod host;
mod sequence;

use std::cell::RefCell;
use std::fmt::Write;

use sequence::{SEQUENCES, Sequence};

/// How many requests a sequence is tried on before the next has its turn.
const BLOCK: usize = 250;

/// How many of them are not counted.
const SETTLING: usize = 30;

/// What took longer was interrupted by something else on the machine.
const INTERRUPTED_NANOSECONDS: u64 = 60_000;

thread_local! {
    static MEASURED: RefCell<Measured> = const { RefCell::new(Measured::new()) };
}

struct Measured {
    requests: usize,
    prepared: Option<sequence::Prepared>,
    means: [Mean; SEQUENCES.len()],
}

#[derive(Clone, Copy)]
struct Mean {
    nanoseconds: u64,
    count: u64,
    /// The calls that the host refused, among those that count.
    refused: u64,
}

impl Measured {
    const fn new() -> Self {
        Measured {
            requests: 0,
            prepared: None,
            means: [Mean {
                nanoseconds: 0,
                count: 0,
                refused: 0,
            }; SEQUENCES.len()],
        }
    }

    fn request(&mut self) {
        let prepared = self.prepared.get_or_insert_with(sequence::Prepared::new);
        let turn = (self.requests / BLOCK) % SEQUENCES.len();
        let is_counted = self.requests % BLOCK >= SETTLING;
        self.requests += 1;
        let (Some(sequence), Some(mean)) = (SEQUENCES.get(turn), self.means.get_mut(turn)) else {
            return;
        };
        let before = host::now();
        let refused = sequence.perform(prepared);
        let nanoseconds = host::now().saturating_sub(before);
        if is_counted && nanoseconds < INTERRUPTED_NANOSECONDS {
            mean.nanoseconds += nanoseconds;
            mean.count += 1;
            mean.refused += refused;
        }
        if self.requests.is_multiple_of(BLOCK * SEQUENCES.len()) {
            self.report();
        }
    }

    fn report(&self) {
        let mut line = String::from("hostcalls: {\"sequences\":[");
        for (index, (Sequence { name, .. }, mean)) in SEQUENCES.iter().zip(&self.means).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            #[allow(clippy::cast_precision_loss, reason = "both are far below 2^52")]
            let nanoseconds = mean.nanoseconds as f64 / mean.count.max(1) as f64;
            // Writing to a string does not fail.
            let _ = write!(
                line,
                "{comma}{{\"name\":\"{name}\",\"nanoseconds\":{nanoseconds:.0},\"count\":{},\"refused\":{}}}",
                mean.count, mean.refused
            );
        }
        line.push_str("]}");
        host::log(&line);
    }
}

/// The version of the ABI is the name of an export.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// A context for the plugin or a stream.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

/// A request is over.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_log(_context: u32) {
    MEASURED.with_borrow_mut(Measured::request);
}
