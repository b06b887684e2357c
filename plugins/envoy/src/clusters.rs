//! Which cluster a named route leads to, so that Envoy is not asked for it with each request.

use std::collections::BTreeMap;
use std::rc::Rc;

/// The clusters of named routes: asked for until they seem not to change, and now and then from there on.
#[derive(Debug, Default)]
pub(crate) struct Clusters(BTreeMap<Box<str>, Cluster>);

#[derive(Debug)]
struct Cluster {
    name: Rc<str>,
    /// Answers that were the same, one after the other.
    same: u32,
    /// Requests since it was asked for.
    since: u32,
}

impl Clusters {
    /// So many answers in a row make it likely that a route has one cluster, …
    const SURE: u32 = 64;
    /// … and every so many requests it is asked for again.
    const EVERY: u32 = 8;
    /// Routes that are known at once.
    const MOST: usize = 1000;

    /// The cluster of a route, where there is no need to ask.
    pub(crate) fn known(&mut self, route: &str) -> Option<Rc<str>> {
        let cluster = self.0.get_mut(route)?;
        cluster.since += 1;
        (cluster.same >= Self::SURE && cluster.since < Self::EVERY).then(|| cluster.name.clone())
    }

    pub(crate) fn learn(&mut self, route: &str, name: &str) {
        if let Some(cluster) = self.0.get_mut(route) {
            cluster.since = 0;
            if *cluster.name == *name {
                cluster.same = cluster.same.saturating_add(1);
            } else {
                cluster.same = 0;
                cluster.name = name.into();
            }
        } else if self.0.len() < Self::MOST {
            let cluster = Cluster {
                name: name.into(),
                same: 0,
                since: 0,
            };
            self.0.insert(route.into(), cluster);
        }
    }
}
