//! Events that become one, when a template is found to be the same as an older one.

use super::super::in_order;
use super::Normal;
use crate::number::Bounded;

impl Normal {
    /// The steps and profiles that name an event which has become another one do so with that one's name. Tells whether
    /// the event was known.
    pub(in crate::log::session) fn merge(&mut self, younger: u64, older: u64) -> bool {
        let Some(gone) = self.events.pop(&younger) else {
            return false;
        };
        match self.events.get_mut(&older) {
            Some(event) => {
                // A session had the one or the other.
                event.weight = (event.weight + gone.weight).at_most(self.sessions);
                if event.sizes.len() < gone.sizes.len() {
                    event.sizes.resize(gone.sizes.len(), 0.0);
                }
                for (sum, weight) in event.sizes.iter_mut().zip(gone.sizes) {
                    *sum += weight;
                }
            }
            None => {
                self.events.put(older, gone);
            }
        }
        let profiles = in_order(&self.profiles);
        self.profiles.clear();
        for (_, mut known) in profiles {
            known.profile.merge(younger, older);
            let key = known.profile.key();
            match self.profiles.get_mut(&key) {
                Some(same) => {
                    same.weight += known.weight;
                    same.past.join(known.past);
                }
                None => {
                    self.profiles.put(key, known);
                }
            }
        }
        self.steps.merge(younger, older);
        for exception in &mut self.exceptions {
            exception.profile.merge(younger, older);
        }
        true
    }
}
