//! What HTTP exchanges say together: rate, errors and duration (the RED method, Wilkie 2015) per route, upstream and
//! site, and clients that ask for what does not exist.
//!
//! Time is cut into slots of ten seconds. Every exchange is added to the slot of its route, of its upstream and of its
//! site; when a slot closes, by event time or by a tick, the last one, two, five and ten minutes of each are compared
//! with what is known of it. What is learned is learned ten minutes late, so that trouble that grows slowly is not
//! taken for the usual before it is seen.

mod client;
mod evidence;
mod judge;
mod node;
mod reference;
mod route;
mod table;
mod tail;
mod traffic;
mod window;

pub(crate) use route::method;
pub(crate) use traffic::{Context, Traffic};

/// How many sites are kept beside so many routes. A site remembers its paths, so that it is larger than a route.
pub(crate) fn most_sites(max_routes: usize) -> usize {
    (max_routes / 8).max(8)
}
