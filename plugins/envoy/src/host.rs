//! What Envoy offers, one function for each call. The crate `proxy-wasm` has wrappers for the same calls; they panic
//! on a status that they do not know, and a panic here costs requests. These hand every status on.

use std::fmt;
use std::time::Duration;

use proxy_wasm::hostcalls::dispatch_http_call;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

/// What a call answered when it did not do what it was asked for.
///
/// Numbers as in the ABI: 1 not found, 2 bad argument, 3 serialization failure, 7 empty, 8 CAS mismatch, 10 internal
/// failure; others exist in some hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(u32);

impl Refused {
    pub(crate) const EMPTY: Refused = Refused(7);
    pub(crate) const CAS_MISMATCH: Refused = Refused(8);
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "not found",
            2 => "bad argument",
            3 => "serialization failure",
            4 => "parse failure",
            5 => "bad expression",
            6 => "invalid memory access",
            7 => "empty",
            8 => "changed by another",
            9 => "result mismatch",
            10 => "internal failure",
            11 => "broken connection",
            12 => "not implemented",
            other => return write!(f, "status {other}"),
        };
        f.write_str(name)
    }
}

/// Bytes that the host has returned: it had them allocated by the module, whose they are from then on.
pub(crate) type Bytes = Box<[u8]>;

/// A map of headers as the host lays it out: the number of pairs, the sizes of each name and value, then each of
/// them with a zero byte after it; numbers are 32 bits wide, the lowest byte first.
pub(crate) struct Headers(Bytes);

impl Headers {
    /// The values of these names, in one pass that ends with the last of them: what is asked for comes first.
    pub(crate) fn find<const N: usize>(&self, names: [&str; N]) -> [Option<&str>; N] {
        let mut found = [None; N];
        let mut left = N;
        let number = |at: usize| -> Option<usize> {
            let bytes = self.0.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let pairs = number(0).unwrap_or(0);
        let mut at = 4 + 8 * pairs;
        for pair in 0..pairs {
            let (Some(name), Some(value)) = (number(4 + 8 * pair), number(8 + 8 * pair)) else {
                break;
            };
            let text = self.0.get(at..at + name);
            if let Some((place, _)) = names
                .iter()
                .enumerate()
                .find(|(_, wanted)| text == Some(wanted.as_bytes()))
                && let Some(bytes) = self.0.get(at + name + 1..at + name + 1 + value)
                && let Some(slot) = found.get_mut(place)
            {
                *slot = Some(text_of(bytes));
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            at += name + value + 2;
        }
        found
    }
}

/// The text up to the first byte that is none: a client may send anything.
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}

mod abi {
    use super::{BufferType, LogLevel, MapType, MetricType};

    // The statuses are numbers here: an enum that holds a number it does not know is undefined behaviour.
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: LogLevel, message: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: BufferType,
            start: usize,
            most: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: MapType,
            name: *const u8,
            name_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: MapType,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize)
        -> u32;
        pub(super) fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub(super) fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            value: *const u8,
            value_size: usize,
            cas: u32,
        ) -> u32;
        pub(super) fn proxy_register_shared_queue(name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_resolve_shared_queue(
            vm: *const u8,
            vm_size: usize,
            name: *const u8,
            name_size: usize,
            id: *mut u32,
        ) -> u32;
        pub(super) fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_enqueue_shared_queue(id: u32, value: *const u8, value_size: usize) -> u32;
        pub(super) fn proxy_define_metric(kind: MetricType, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    }
}

fn answered(status: u32) -> Result<(), Refused> {
    if status == 0 { Ok(()) } else { Err(Refused(status)) }
}

/// Calls with places for a pointer and a size, and takes what the host has put there.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Bytes, Refused> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    answered(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return Ok(Bytes::default());
    }
    let bytes = std::ptr::slice_from_raw_parts_mut(data, size);
    // SAFETY: `data` comes from the module's own exported allocation, which makes boxed slices of just the size that it
    // is asked for, and the host hands each of them over once.
    Ok(unsafe { Box::from_raw(bytes) })
}

/// Writes to Envoy's log. Where even that fails there is nobody left to tell.
pub(crate) fn log(level: LogLevel, message: &str) {
    // SAFETY: the pointer and the size are those of a string.
    let _ = unsafe { abi::proxy_log(level, message.as_ptr(), message.len()) };
}

/// Nanoseconds since 1970, to the microsecond.
pub(crate) fn now() -> i64 {
    let mut time = 0;
    // SAFETY: the host writes a u64 to the pointer.
    let status = unsafe { abi::proxy_get_current_time_nanoseconds(&raw mut time) };
    answered(status).map_or(0, |()| i64::try_from(time).unwrap_or(i64::MAX))
}

pub(crate) fn set_tick_period(milliseconds: u32) -> Result<(), Refused> {
    // SAFETY: no pointer is passed.
    answered(unsafe { abi::proxy_set_tick_period_milliseconds(milliseconds) })
}

pub(crate) fn buffer(of: BufferType, most: usize) -> Result<Bytes, Refused> {
    // SAFETY: the host writes a pointer and a size to the places.
    returned(|data, size| unsafe { abi::proxy_get_buffer_bytes(of, 0, most, data, size) })
}

pub(crate) fn headers(of: MapType) -> Result<Headers, Refused> {
    // SAFETY: the host writes a pointer and a size to the places.
    returned(|data, size| unsafe { abi::proxy_get_header_map_pairs(of, data, size) }).map(Headers)
}

pub(crate) fn header(of: MapType, name: &str) -> Result<Bytes, Refused> {
    returned(|data, size| {
        // SAFETY: as above, and the name is a string.
        unsafe { abi::proxy_get_header_map_value(of, name.as_ptr(), name.len(), data, size) }
    })
}

pub(crate) fn set_header(of: MapType, name: &str, value: &str) -> Result<(), Refused> {
    // SAFETY: the pointers and the sizes are those of strings.
    answered(unsafe { abi::proxy_replace_header_map_value(of, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// A property by its path, whose parts are separated by zero bytes.
pub(crate) fn property(path: &str) -> Result<Bytes, Refused> {
    // SAFETY: the path is a string, and the host writes a pointer and a size to the places.
    returned(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// A property that is a whole number.
pub(crate) fn number(path: &str) -> Option<i64> {
    let bytes = property(path).ok()?;
    Some(i64::from_le_bytes(bytes.as_ref().try_into().ok()?))
}

/// Sets a filter state, which is called `wasm.` and this name.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: the pointers and the sizes are those of slices.
    answered(unsafe { abi::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// What all workers share under this key, and the number of its change.
pub(crate) fn shared(key: &str) -> Result<(Bytes, u32), Refused> {
    let mut cas = 0;
    let bytes = returned(|data, size| {
        // SAFETY: the key is a string, and the host writes to the three places.
        unsafe { abi::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) }
    })?;
    Ok((bytes, cas))
}

/// With a `cas` of 0 whatever is there is replaced.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: u32) -> Result<(), Refused> {
    // SAFETY: the pointers and the sizes are those of slices.
    answered(unsafe { abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

pub(crate) fn register_queue(name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: the name is a string, and the host writes a u32.
    answered(unsafe { abi::proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn resolve_queue(vm: &str, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: both names are strings, and the host writes a u32.
    answered(unsafe {
        abi::proxy_resolve_shared_queue(vm.as_ptr(), vm.len(), name.as_ptr(), name.len(), &raw mut id)
    })?;
    Ok(id)
}

pub(crate) fn dequeue(queue: u32) -> Result<Bytes, Refused> {
    // SAFETY: the host writes a pointer and a size to the places.
    returned(|data, size| unsafe { abi::proxy_dequeue_shared_queue(queue, data, size) })
}

pub(crate) fn enqueue(queue: u32, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: the pointer and the size are those of a slice.
    answered(unsafe { abi::proxy_enqueue_shared_queue(queue, value.as_ptr(), value.len()) })
}

/// Begins an HTTP call, and returns the token that its answer comes with. This one goes through the crate's wrapper,
/// whose dispatcher has to know the token; it panics on statuses other than those that Envoy has for this call: done, bad
/// argument and internal failure.
pub(crate) fn call(
    cluster: &str,
    headers: Vec<(&str, &str)>,
    body: Option<&[u8]>,
    timeout_seconds: u32,
) -> Result<u32, Refused> {
    let timeout = Duration::from_secs(u64::from(timeout_seconds));
    dispatch_http_call(cluster, headers, body, Vec::new(), timeout).map_err(|status| Refused(status as u32))
}

pub(crate) fn define_metric(kind: MetricType, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: the name is a string, and the host writes a u32.
    answered(unsafe { abi::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

pub(crate) fn record_metric(id: u32, value: u64) -> Result<(), Refused> {
    // SAFETY: no pointer is passed.
    answered(unsafe { abi::proxy_record_metric(id, value) })
}

pub(crate) fn add_to_metric(id: u32, offset: i64) -> Result<(), Refused> {
    // SAFETY: no pointer is passed.
    answered(unsafe { abi::proxy_increment_metric(id, offset) })
}
