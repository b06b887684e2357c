//! What is compared, and the configuration of Envoy for each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

/// Something that looks at every request, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lane {
    NoFilter,
    EmptySdkFilter,
    LuaFilter,
    JsonAccessLog,
    AccessLogger,
    AccessLoggerToService,
    Filter,
    FilterToService,
    /// The filter with what its verdicts are for: an access log that prints them.
    FilterInJsonAccessLog,
    /// Not compared: measures hostcalls.
    #[value(skip)]
    Hostcalls,
}

/// Where requests end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// Envoy answers itself.
    Direct,
    /// A second Envoy answers.
    Proxied,
}

/// The modules.
#[derive(Debug, Clone)]
pub(crate) struct Modules {
    pub(crate) watchpost: PathBuf,
    pub(crate) empty: PathBuf,
    pub(crate) hostcalls: PathBuf,
}

/// What the VMs are called. The service and the workers that forward to it share their data by this name.
const VM: &str = "watchpost";

impl Lane {
    pub(crate) const COMPARED: [Lane; 9] = [
        Lane::NoFilter,
        Lane::EmptySdkFilter,
        Lane::LuaFilter,
        Lane::JsonAccessLog,
        Lane::AccessLogger,
        Lane::AccessLoggerToService,
        Lane::Filter,
        Lane::FilterToService,
        Lane::FilterInJsonAccessLog,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Lane::NoFilter => "no filter",
            Lane::EmptySdkFilter => "empty filter on the SDK",
            Lane::LuaFilter => "Lua, reads two headers",
            Lane::JsonAccessLog => "JSON access log",
            Lane::AccessLogger => "watchpost, access logger",
            Lane::AccessLoggerToService => "watchpost, access logger to service",
            Lane::Filter => "watchpost, filter",
            Lane::FilterToService => "watchpost, filter to service",
            Lane::FilterInJsonAccessLog => "watchpost, filter, in JSON log",
            Lane::Hostcalls => "hostcalls",
        }
    }

    /// A name for files.
    pub(crate) fn file(self) -> String {
        self.name().replace(", ", "-").replace(' ', "-").to_lowercase()
    }

    /// A whole bootstrap configuration. The upstream is only reached when the case asks for it.
    pub(crate) fn config(self, modules: &Modules, case: Case, upstream: SocketAddr) -> Value {
        let mut manager = manager(self.filters(modules), &routes(case));
        manager["access_log"] = Value::Array(self.access_logs(modules));
        let mut config = bootstrap(&manager);
        config["static_resources"]["clusters"] = json!([cluster("orders", upstream), cluster("catalogue", upstream)]);
        if matches!(self, Lane::AccessLoggerToService | Lane::FilterToService) {
            let plugin = plugin(&modules.watchpost, "service", &json!({"envoy": {"mode": "service"}}));
            config["bootstrap_extensions"] = json!([{
                "name": "envoy.bootstrap.wasm",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
                    "config": plugin,
                    "singleton": true,
                },
            }]);
        }
        config
    }

    fn filters(self, modules: &Modules) -> Vec<Value> {
        match self {
            Lane::EmptySdkFilter => vec![wasm_filter(&modules.empty, &json!({}))],
            Lane::Hostcalls => vec![wasm_filter(&modules.hostcalls, &json!({}))],
            Lane::LuaFilter => vec![lua_filter()],
            Lane::Filter | Lane::FilterInJsonAccessLog => vec![wasm_filter(&modules.watchpost, &json!({"envoy": {}}))],
            Lane::FilterToService => {
                vec![wasm_filter(&modules.watchpost, &json!({"envoy": {"forward_to": VM}}))]
            }
            Lane::NoFilter | Lane::JsonAccessLog | Lane::AccessLogger | Lane::AccessLoggerToService => Vec::new(),
        }
    }

    fn access_logs(self, modules: &Modules) -> Vec<Value> {
        match self {
            Lane::JsonAccessLog => vec![json_log(&json!({}))],
            Lane::FilterInJsonAccessLog => {
                vec![json_log(&json!({"watchpost": "%FILTER_STATE(wasm.watchpost:PLAIN)%"}))]
            }
            Lane::AccessLogger => {
                vec![wasm_log(
                    &modules.watchpost,
                    &json!({"envoy": {"mode": "access-logger"}}),
                )]
            }
            Lane::AccessLoggerToService => {
                let document = json!({"envoy": {"mode": "access-logger", "forward_to": VM}});
                vec![wasm_log(&modules.watchpost, &document)]
            }
            Lane::NoFilter
            | Lane::EmptySdkFilter
            | Lane::LuaFilter
            | Lane::Filter
            | Lane::FilterToService
            | Lane::Hostcalls => Vec::new(),
        }
    }
}

impl Case {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Case::Direct => "direct",
            Case::Proxied => "proxied",
        }
    }
}

/// An Envoy that answers everything at once.
pub(crate) fn upstream() -> Value {
    bootstrap(&manager(
        Vec::new(),
        &json!([{"match": {"prefix": "/"}, "direct_response": answer()}]),
    ))
}

fn bootstrap(manager: &Value) -> Value {
    json!({
        "admin": {"address": loopback(0)},
        "static_resources": {
            "listeners": [{
                "name": "front",
                "address": loopback(0),
                "filter_chains": [{"filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]}],
            }],
        },
    })
}

fn manager(mut filters: Vec<Value>, routes: &Value) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "use_remote_address": true,
        "http_filters": filters,
        "route_config": {"name": "front", "virtual_hosts": [{"name": "shop", "domains": ["*"], "routes": routes}]},
    })
}

/// A table as a small shop has it: what is asked for most is not what stands first.
fn routes(case: Case) -> Value {
    const ROUTES: [(&str, &str, &str); 10] = [
        ("login", "/login", "catalogue"),
        ("logout", "/logout", "catalogue"),
        ("admin", "/admin/", "catalogue"),
        ("payments", "/api/v1/payments", "orders"),
        ("users", "/api/v1/users/", "catalogue"),
        ("cart", "/api/v1/cart/", "orders"),
        ("orders", "/api/v1/orders", "orders"),
        ("search", "/search", "catalogue"),
        ("static", "/static/", "catalogue"),
        ("other", "/", "catalogue"),
    ];
    ROUTES
        .iter()
        .map(|(name, prefix, cluster)| {
            let mut route = json!({"name": name, "match": {"prefix": prefix}});
            match case {
                Case::Direct => route["direct_response"] = answer(),
                Case::Proxied => route["route"] = json!({"cluster": cluster}),
            }
            route
        })
        .collect()
}

fn answer() -> Value {
    json!({"status": 200, "body": {"inline_string": "{\"ok\":true}\n"}})
}

fn cluster(name: &str, upstream: SocketAddr) -> Value {
    json!({
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": loopback(upstream.port())}},
        ]}]},
    })
}

fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn plugin(module: &Path, name: &str, document: &Value) -> Value {
    json!({
        "name": name,
        "root_id": name,
        "vm_config": {
            "vm_id": VM,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}},
        },
        "failure_policy": "FAIL_RELOAD",
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": document.to_string(),
        },
    })
}

fn wasm_filter(module: &Path, document: &Value) -> Value {
    json!({
        "name": "wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": plugin(module, "worker", document),
        },
    })
}

fn wasm_log(module: &Path, document: &Value) -> Value {
    json!({
        "name": "wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
            "config": plugin(module, "worker", document),
        },
    })
}

fn lua_filter() -> Value {
    let source = "function envoy_on_request(handle)\n\
        local headers = handle:headers()\n\
        local path, method = headers:get(\":path\"), headers:get(\":method\")\n\
        end\n";
    json!({
        "name": "lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": source},
        },
    })
}

/// The log of the examples.
fn json_log(further: &Value) -> Value {
    let mut format = json!({
        "start_time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "route_name": "%ROUTE_NAME%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "response_code": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%",
        "duration": "%DURATION%",
        "bytes_sent": "%BYTES_SENT%",
    });
    if let (Some(format), Some(further)) = (format.as_object_mut(), further.as_object()) {
        format.extend(further.clone());
    }
    json!({
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "access.log",
            "log_format": {"json_format": format},
        },
    })
}
