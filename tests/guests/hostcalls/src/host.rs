//! The host's functions as they are imported, and its way to hand over bytes.

use std::cell::UnsafeCell;
use std::ptr;

#[allow(missing_docs, reason = "they are those of the ABI")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, length: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_property(path: *const u8, length: usize, value: *mut *mut u8, value_length: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, length: usize, value: *const u8, value_length: usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        length: usize,
        value: *mut *mut u8,
        value_length: *mut usize,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        length: usize,
        argument: *const u8,
        argument_length: usize,
        result: *mut *mut u8,
        result_length: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, length: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_register_shared_queue(name: *const u8, length: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, bytes: *const u8, length: usize) -> u32;
    fn proxy_set_shared_data(key: *const u8, length: usize, value: *const u8, value_length: usize, cas: u32) -> u32;
}

/// `Trace` is 0.
const DEBUG: u32 = 1;
const WARN: u32 = 3;

/// What the host writes results into; the largest is far below this.
struct Results(UnsafeCell<[u64; 8192]>);

// SAFETY: wasm has one thread, and only the host writes here, while no reference exists.
unsafe impl Sync for Results {}

static RESULTS: Results = Results(UnsafeCell::new([0; 8192]));

/// The host allocates here whatever it returns. All results share one place, so this is the cheapest that there is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(_length: usize) -> *mut u8 {
    RESULTS.0.get().cast()
}

/// What a call returned: bytes that are valid until the next call.
pub(crate) struct Answer {
    status: u32,
    bytes: *mut u8,
    length: usize,
}

impl Answer {
    fn of(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Self {
        let (mut bytes, mut length) = (ptr::null_mut(), 0);
        let status = call(&raw mut bytes, &raw mut length);
        Answer { status, bytes, length }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.status != 0
    }

    fn token(&self) -> [u8; 4] {
        let mut token = [0; 4];
        if !self.is_refused() && self.length == token.len() {
            // SAFETY: the host wrote `length` bytes there.
            unsafe { ptr::copy_nonoverlapping(self.bytes, token.as_mut_ptr(), token.len()) };
        }
        token
    }
}

pub(crate) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the place for the result is valid.
    let _ = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    time
}

pub(crate) fn log(text: &str) {
    // SAFETY: the host reads `length` bytes.
    let _ = unsafe { proxy_log(WARN, text.as_ptr(), text.len()) };
}

pub(crate) fn log_below_level(text: &[u8]) -> bool {
    // SAFETY: as above.
    unsafe { proxy_log(DEBUG, text.as_ptr(), text.len()) != 0 }
}

pub(crate) fn property(path: &[u8]) -> Answer {
    // SAFETY: the host reads the path and writes the places for the result; so in the other calls.
    Answer::of(|bytes, length| unsafe { proxy_get_property(path.as_ptr(), path.len(), bytes, length) })
}

pub(crate) fn set_property(path: &[u8], value: &[u8]) -> bool {
    // SAFETY: the host reads both.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) != 0 }
}

pub(crate) fn headers(map: u32) -> Answer {
    // SAFETY: as for `property`.
    Answer::of(|bytes, length| unsafe { proxy_get_header_map_pairs(map, bytes, length) })
}

pub(crate) fn header(map: u32, name: &[u8]) -> Answer {
    // SAFETY: as for `property`.
    Answer::of(|bytes, length| unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), bytes, length) })
}

fn foreign(name: &[u8], argument: &[u8]) -> Answer {
    // SAFETY: as for `property`.
    Answer::of(|bytes, length| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            bytes,
            length,
        )
    })
}

/// An expression in CEL, by the token that Envoy gives it.
pub(crate) fn expression(text: &str) -> [u8; 4] {
    foreign(b"expr_create", text.as_bytes()).token()
}

pub(crate) fn evaluate(token: [u8; 4]) -> Answer {
    foreign(b"expr_evaluate", &token)
}

pub(crate) fn counter(name: &str) -> u32 {
    let mut metric = 0;
    // SAFETY: the host reads the name and writes the number.
    let _ = unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut metric) };
    metric
}

pub(crate) fn increment(metric: u32) -> bool {
    // SAFETY: nothing is read or written here.
    unsafe { proxy_increment_metric(metric, 1) != 0 }
}

pub(crate) fn queue(name: &str) -> u32 {
    let mut queue = 0;
    // SAFETY: as for `counter`.
    let _ = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut queue) };
    queue
}

pub(crate) fn enqueue(queue: u32, bytes: &[u8]) -> bool {
    // SAFETY: the host reads the bytes.
    unsafe { proxy_enqueue_shared_queue(queue, bytes.as_ptr(), bytes.len()) != 0 }
}

pub(crate) fn share(key: &str, value: &[u8]) -> bool {
    // SAFETY: the host reads both.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), 0) != 0 }
}
