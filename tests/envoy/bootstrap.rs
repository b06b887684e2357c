//! Envoy's configuration, put together from a few parts. It is JSON, which Envoy reads like YAML.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::process;

/// How the plugin is put into a configuration: which module, with which options, and what comes after a trap.
#[derive(Debug, Clone)]
pub(super) struct Plugin<'a> {
    pub(super) name: &'a str,
    pub(super) module: &'a Path,
    /// The document, `{"detector": {…}, "envoy": {…}}`.
    pub(super) document: String,
    pub(super) policy: &'a str,
}

impl<'a> Plugin<'a> {
    pub(super) fn new(name: &'a str, module: &'a Path, document: &Value) -> Self {
        Plugin {
            name,
            module,
            document: document.to_string(),
            policy: "FAIL_RELOAD",
        }
    }

    fn config(&self) -> Value {
        json!({
            "name": self.name,
            "root_id": self.name,
            "vm_config": {
                // What VMs share they share by this.
                "vm_id": VM_ID,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": self.module}},
            },
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": self.document},
            "failure_policy": self.policy,
        })
    }

    /// It sees requests as they pass.
    pub(super) fn filter(&self) -> Value {
        json!({
            "name": "envoy.filters.http.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": self.config(),
            },
        })
    }

    /// It sees requests when they are over.
    pub(super) fn access_logger(&self) -> Value {
        json!({
            "name": "envoy.access_loggers.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
                "config": self.config(),
            },
        })
    }

    /// It sees what other VMs tell it.
    pub(super) fn service(&self) -> Value {
        json!({
            "name": "envoy.bootstrap.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
                "config": self.config(),
                "singleton": true,
            },
        })
    }
}

pub(super) const VM_ID: &str = "watchpost";

/// The listener of most tests.
pub(super) const LISTENER: &str = "ingress";

/// A listener on a port of its own choice, in parts.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) routes: Vec<Value>,
    pub(super) filters: Vec<Value>,
    pub(super) access_logs: Vec<Value>,
}

impl Listener {
    pub(super) fn new(routes: Vec<Value>) -> Self {
        Listener {
            routes,
            filters: Vec::new(),
            access_logs: Vec::new(),
        }
    }

    pub(super) fn with_filter(mut self, plugin: &Plugin<'_>) -> Self {
        self.filters.push(plugin.filter());
        self
    }

    pub(super) fn with_access_log(mut self, log: Value) -> Self {
        self.access_logs.push(log);
        self
    }

    pub(super) fn config(&self) -> Value {
        let mut filters = self.filters.clone();
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }));
        json!({
            "name": LISTENER,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": CONNECTION_MANAGER,
                    "stat_prefix": LISTENER,
                    // The tests say who asks.
                    "use_remote_address": false,
                    "access_log": self.access_logs,
                    "http_filters": filters,
                    "route_config": {
                        "name": "routes",
                        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": self.routes}],
                    },
                },
            }]}],
        })
    }
}

const CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A whole configuration.
pub(super) fn bootstrap(listeners: &[Listener], clusters: &[Value], services: &[Value]) -> Value {
    let listeners: Vec<Value> = listeners.iter().map(Listener::config).collect();
    json!({
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {"listeners": listeners, "clusters": clusters},
        "bootstrap_extensions": services,
        "stats_config": {"stats_tags": stats_tags()},
    })
}

/// What makes labels of the names of the plugin's metrics.
pub(super) fn stats_tags() -> Vec<Value> {
    let tag = |label: &&str| json!({"tag_name": label, "regex": format!("(\\.?{label}=\\.=(.*?);\\.;)")});
    ["kind", "severity", "route", "upstream", "of", "result"]
        .iter()
        .map(tag)
        .collect()
}

/// A route by the beginning of a path, `/name/`, to a cluster that has two seconds to answer.
pub(super) fn route(name: &str, cluster: &str) -> Value {
    json!({
        "name": name,
        "match": {"prefix": format!("/{name}/")},
        "route": {"cluster": cluster, "timeout": "2s"},
    })
}

/// A route that Envoy answers itself.
pub(super) fn answered(name: &str, prefix: &str, status: u16) -> Value {
    json!({
        "name": name,
        "match": {"prefix": prefix},
        "direct_response": {"status": status, "body": {"inline_string": "here\n"}},
    })
}

pub(super) fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": address.ip().to_string(), "port_value": address.port()},
        }}}]}]},
    })
}

/// Envoy's own access log, with what the plugin adds.
pub(super) fn file_access_log(path: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"json_format": {
                "path": "%REQ(:PATH)%",
                "route": "%ROUTE_NAME%",
                "status": "%RESPONSE_CODE%",
                "flags": "%RESPONSE_FLAGS%",
                "verdict": "%FILTER_STATE(wasm.watchpost:PLAIN)%",
                "score": "%FILTER_STATE(wasm.watchpost.score:PLAIN)%",
            }},
        },
    })
}

/// Envoy looks at a configuration with a bare listener and this plugin in it.
pub(super) fn validate_filter(plugin: &Plugin<'_>) -> (std::process::ExitStatus, String) {
    let listener = Listener::new(vec![answered("here", "/", 200)]).with_filter(plugin);
    process::validate(&bootstrap(&[listener], &[], &[]))
}
