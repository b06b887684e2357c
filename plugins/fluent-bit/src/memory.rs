//! The memory of this module, as far as others write into it.

use std::sync::atomic::{AtomicU32, Ordering};

use watchpost_detector::wire::MAX_LINE_BYTES;

/// Where the bytes are that were appended to this module after it was built: the address and the length of a
/// configuration document in JSON, and the same of a state. Noughts stand for none.
#[repr(C)]
pub struct Given([AtomicU32; 4]);

impl Given {
    /// As the compiler leaves it.
    pub(crate) const fn nothing() -> Self {
        Given([const { AtomicU32::new(0) }; 4])
    }

    pub(crate) fn config(&self) -> Option<&'static [u8]> {
        let [at, len, _, _] = &self.0;
        part(at, len)
    }

    pub(crate) fn state(&self) -> Option<&'static [u8]> {
        let [_, _, at, len] = &self.0;
        part(at, len)
    }
}

/// Loads that the compiler cannot foresee: what it knows of the bytes is not what they are in the end.
fn part(at: &AtomicU32, len: &AtomicU32) -> Option<&'static [u8]> {
    let at = usize::try_from(at.load(Ordering::Relaxed)).ok()?;
    let len = usize::try_from(len.load(Ordering::Relaxed)).ok()?;
    bytes(std::ptr::with_exposed_provenance(at), len)
}

/// What the agent has written there, unless that is no place: it hands over a null pointer when it got no memory.
pub(crate) fn bytes(at: *const u8, len: usize) -> Option<&'static [u8]> {
    let end = at.addr().checked_add(len)?;
    if at.is_null() || end > size() {
        return None;
    }
    #[expect(unsafe_code, reason = "an address that the agent gives is all there is")]
    // SAFETY: it is not null, all of it is inside of the memory, and in wasm all memory is initialised. Nobody writes
    // while the module runs, and what is returned is not looked at after the call.
    Some(unsafe { std::slice::from_raw_parts(at, len) })
}

#[cfg(target_arch = "wasm32")]
fn size() -> usize {
    const PAGE: usize = 64 << 10;
    core::arch::wasm32::memory_size(0).saturating_mul(PAGE)
}

/// Elsewhere nothing is known to be readable.
#[cfg(not(target_arch = "wasm32"))]
fn size() -> usize {
    0
}

/// Memory that is lent to the agent: a buffer for the tag and one for the record, used again and again, so that neither
/// time nor memory is spent on an allocator.
pub(crate) struct Buffers(Vec<Buffer>);

struct Buffer {
    memory: Vec<u8>,
    is_lent: bool,
}

impl Buffers {
    pub(crate) const NONE: Buffers = Buffers(Vec::new());

    /// Null when there is not so much memory.
    pub(crate) fn lend(&mut self, size: usize) -> *mut u8 {
        const LEAST: usize = 4096;
        let free = self.0.iter().position(|buffer| !buffer.is_lent);
        let at = free.unwrap_or_else(|| {
            self.0.push(Buffer {
                memory: Vec::new(),
                is_lent: false,
            });
            self.0.len() - 1
        });
        let Some(buffer) = self.0.get_mut(at) else {
            return std::ptr::null_mut();
        };
        if buffer.memory.capacity() < size.max(1) {
            // Not a reallocation: what stands in it is copied by nobody.
            buffer.memory = Vec::new();
            let rounded = size.max(LEAST).checked_next_power_of_two().unwrap_or(size);
            if buffer.memory.try_reserve_exact(rounded).is_err() {
                return std::ptr::null_mut();
            }
        }
        buffer.is_lent = true;
        buffer.memory.as_mut_ptr()
    }

    pub(crate) fn take_back(&mut self, at: *const u8) {
        let lent = self
            .0
            .iter_mut()
            .find(|buffer| buffer.is_lent && buffer.memory.as_ptr() == at);
        if let Some(buffer) = lent {
            buffer.is_lent = false;
            shrink(&mut buffer.memory);
        }
    }
}

/// Gives back what only a record needs that is too large to be judged.
pub(crate) fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > 4 * MAX_LINE_BYTES {
        *buffer = Vec::new();
    }
}
