//! What a guest may use, and the ledger of what it does use.

use wasmtime::ResourceLimiter;

/// What a guest may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether computation is limited. Fuel counts the guest's instructions, not time: the same call with
    /// the same input is stopped at the same instruction on every machine, however busy it is.
    pub fuel: bool,
    /// The most linear memory that the guest may have, in bytes.
    pub memory_bytes: u64,
}

impl Limits {
    /// No limit on computation and all the memory that 32 bits can address: for measuring what limits cost.
    pub const OFF: Limits = Limits {
        fuel: false,
        memory_bytes: 4 << 30,
    };

    /// Instructions for any call: about a second.
    const PER_CALL: u64 = 2_000_000_000;
    /// Instructions for each byte of input: some hundred times what a row of two metrics takes.
    const PER_INPUT_BYTE: u64 = 100_000;
    /// Instructions for each byte of the guest's memory: a snapshot, a tick or an end visits all of it.
    const PER_MEMORY_BYTE: u64 = 64;

    /// How many instructions one call may take.
    pub(super) fn budget(self, input_bytes: usize, memory_bytes: u64) -> u64 {
        Self::PER_CALL + Self::PER_INPUT_BYTE * input_bytes as u64 + Self::PER_MEMORY_BYTE * memory_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            fuel: true,
            memory_bytes: 640 << 20,
        }
    }
}

/// What a guest runs into when it grows.
#[derive(Debug)]
pub(super) struct Walls {
    limit: u64,
    used: u64,
    refused: bool,
}

impl Walls {
    /// Entries of all tables: each costs the host a pointer, and a guest needs one for each of its
    /// functions whose address is taken.
    const TABLE_ENTRIES: usize = 100_000;

    pub(super) fn new(limit: u64) -> Self {
        Walls {
            limit,
            used: 0,
            refused: false,
        }
    }

    /// The memory that the guest has now.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.used
    }

    /// The limit, when growth beyond it was refused since the last [`Walls::forgive`].
    pub(super) fn refused(&self) -> Option<u64> {
        self.refused.then_some(self.limit)
    }

    /// Forgets a refusal: the guest has lived with it.
    pub(super) fn forgive(&mut self) {
        self.refused = false;
    }
}

impl ResourceLimiter for Walls {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // The sum over all memories counts, or a component of a thousand small ones would pass.
        let more = desired.saturating_sub(current) as u64;
        let fits = self.used.saturating_add(more) <= self.limit;
        if fits {
            self.used += more;
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= Self::TABLE_ENTRIES)
    }

    fn instances(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        4
    }

    fn tables(&self) -> usize {
        16
    }
}
