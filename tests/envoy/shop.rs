//! The services of the site, running, and the parts of Envoy's configuration that lead to them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bootstrap::{cluster, route};
use super::site::{Fault, ROUTES, under};
use super::upstream::{Behaviour, Upstream};

/// An upstream for every cluster.
#[derive(Debug)]
pub(super) struct Shop {
    upstreams: BTreeMap<&'static str, Upstream>,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let mut upstreams = BTreeMap::new();
        for route in &ROUTES {
            if !upstreams.contains_key(route.cluster) {
                let seed = 1 + upstreams.len() as u64;
                upstreams.insert(route.cluster, Upstream::start(seed).await);
            }
        }
        let shop = Shop { upstreams };
        shop.set(&[]);
        shop
    }

    /// What is wrong with the services; who asks is another matter.
    pub(super) fn set(&self, faults: &[Fault]) {
        for route in &ROUTES {
            let hangs = faults.contains(&Fault::Hangs) && route.cluster == "payment";
            let behaviour = if hangs {
                Behaviour::Hangs
            } else {
                Behaviour::Answers(under(faults, route).1)
            };
            self.upstream(route.cluster).set(route.name, behaviour);
        }
    }

    pub(super) fn upstream(&self, cluster: &str) -> &Upstream {
        self.upstreams.get(cluster).expect("a cluster of the site")
    }

    pub(super) fn routes() -> Vec<Value> {
        ROUTES.iter().map(|of| route(of.name, of.cluster)).collect()
    }

    pub(super) fn clusters(&self) -> Vec<Value> {
        let of = |(name, upstream): (&&str, &Upstream)| cluster(name, upstream.address);
        self.upstreams.iter().map(of).collect()
    }
}
