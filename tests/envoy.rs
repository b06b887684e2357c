//! The plugin in the data path of a real Envoy: what it finds while requests flow, what a replay of the same requests
//! says, what happens to the requests when the module fails, and what all of it takes.
//!
//! `cargo xtask test` installs Envoy and builds the module; `cargo xtask test real_envoy` runs these tests alone, and
//! `cargo xtask test real_envoy::live -- --nocapture` prints how long each fault took to be seen.

#[path = "quality/random.rs"]
#[allow(dead_code, reason = "shared with the other tests, of which each needs a part")]
mod random;

/// The name by which `cargo xtask test` leaves these tests out where Envoy cannot be installed.
#[path = "envoy"]
mod real_envoy {
    mod admin;
    mod bootstrap;
    mod bounds;
    mod exports;
    mod failure;
    mod lines;
    mod live;
    mod load;
    mod process;
    mod refusal;
    mod replay;
    mod shop;
    mod site;
    mod trap;
    mod update;
    mod upstream;
}
