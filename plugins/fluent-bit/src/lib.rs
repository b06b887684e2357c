//! Watchpost inside Fluent Bit: a module for its filter `wasm`, which hands over one record after the other as JSON.
//!
//! It imports nothing and has no other way to be told anything than the module itself: `watchpost embed` writes a
//! configuration and a state into it.

mod filter;
mod memory;

use std::cell::{Cell, RefCell};

use watchpost_detector::Timestamp;

use filter::Filter;
use memory::{Buffers, Given};

/// What the module was given before it was started. The name is exported as a global whose value is the address.
#[expect(unsafe_code, reason = "the name of an export must stay as it is")]
#[unsafe(export_name = "watchpost_given")]
pub static GIVEN: Given = Given::nothing();

thread_local! {
    static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers::NONE) };
    static STATE: Cell<State> = const { Cell::new(State::Fresh) };
}

/// Where the one filter of this instance is.
enum State {
    /// No record has come.
    Fresh,
    /// It waits for the next one.
    Waiting(Box<Filter>),
    /// It has been entered. When the next record finds it so, it has not come back: the agent goes on after a trap with
    /// the same instance.
    Entered,
}

const FAILED: &str = "the detector failed on an earlier record, and none has been judged since: restart the agent, and \
                      look at its log for what failed; a larger `wasm_stack_size` may help";

/// Memory for what the agent hands over, or nothing when there is none.
#[expect(unsafe_code, reason = "the name of an export must stay as it is")]
#[unsafe(export_name = "malloc")]
pub extern "C" fn lend(size: usize) -> *mut u8 {
    BUFFERS.with(|buffers| {
        buffers
            .try_borrow_mut()
            .map_or(std::ptr::null_mut(), |mut buffers| buffers.lend(size))
    })
}

/// The agent needs it no more.
#[expect(unsafe_code, reason = "the name of an export must stay as it is")]
#[unsafe(export_name = "free")]
pub extern "C" fn take_back(at: *mut u8) {
    BUFFERS.with(|buffers| {
        if let Ok(mut buffers) = buffers.try_borrow_mut() {
            buffers.take_back(at);
        }
    });
}

/// The `function_name` of the filter: judges one record, and returns what becomes of it, a JSON object that ends with a
/// nought and stands until the next call. An empty text is a record that is left out.
#[expect(unsafe_code, reason = "the name of an export must stay as it is")]
#[unsafe(export_name = "watchpost_filter")]
pub extern "C" fn filter(
    _tag: *const u8,
    _tag_len: usize,
    sec: u32,
    nsec: u32,
    record: *const u8,
    len: usize,
) -> *const u8 {
    let time = Timestamp::from_nanos(i64::from(sec) * 1_000_000_000 + i64::from(nsec));
    let mut filter = match STATE.replace(State::Entered) {
        State::Fresh => Box::new(Filter::open(time)),
        State::Waiting(filter) => filter,
        State::Entered => Box::new(Filter::idle(FAILED.to_owned())),
    };
    let result = match memory::bytes(record, len) {
        Some(bytes) => filter.record(bytes, time),
        None => filter.lost(len),
    };
    STATE.set(State::Waiting(filter));
    result
}
