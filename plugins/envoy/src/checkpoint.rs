//! What outlives a VM: Envoy keeps it for all VMs of one `vm_id`, and until the process ends.

use crate::host::{self, Refused};
use crate::open::Open;

/// What is saved: the episodes that are open, and the detector's snapshot.
pub(crate) type State = (Open, Vec<u8>);

/// The state that was saved under this name.
pub(crate) fn load(name: &str) -> Option<State> {
    let (bytes, _) = host::shared(&key(name)).ok()?;
    postcard::from_bytes(&bytes).ok()
}

/// Saves a state. Of several workers the last one wins: what they have learned is much the same.
pub(crate) fn save(name: &str, state: &State) -> Result<(), Refused> {
    // Writing to memory cannot fail; nothing at all would be no state, and is not loaded.
    let bytes = postcard::to_allocvec(state).unwrap_or_default();
    host::set_shared(&key(name), &bytes, 0)
}

/// A service tells the workers which episodes are open. It does so at every tick: that it does tells that it lives.
pub(crate) fn tell(open: &Open) {
    if let Ok(bytes) = postcard::to_allocvec(open) {
        let _ = host::set_shared(TOLD, &bytes, 0);
    }
}

/// What a service told, and the number of the change.
pub(crate) fn news() -> Option<(Open, u32)> {
    let (bytes, cas) = host::shared(TOLD).ok()?;
    Some((postcard::from_bytes(&bytes).ok()?, cas))
}

/// One service to a `vm_id`.
const TOLD: &str = "watchpost.open";

fn key(name: &str) -> String {
    format!("watchpost.state.{name}")
}

/// A number that no other VM of this `vm_id` has.
pub(crate) fn vm_number() -> u32 {
    const KEY: &str = "watchpost.vms";
    for _ in 0..1000 {
        let (number, cas) = match host::shared(KEY) {
            Ok((bytes, cas)) => (bytes.as_ref().try_into().map_or(0, u32::from_le_bytes), cas),
            Err(_) => (0, 0),
        };
        match host::set_shared(KEY, &(number + 1).to_le_bytes(), cas) {
            Err(Refused::CAS_MISMATCH) => {}
            _ => return number,
        }
    }
    u32::MAX
}
