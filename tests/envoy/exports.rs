//! What the plugin gives away beside its log: a response header, events for a collector, and what it is given.

use std::path::Path;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::admin;
use super::bootstrap::{LISTENER, Listener, Plugin, answered, bootstrap, cluster};
use super::lines::{lines, verdicts};
use super::live::now;
use super::process::{Envoy, folder, module, until};
use super::site::{SERVICE, hour_until};
use super::upstream::{Behaviour, Upstream};

/// A status above 499 is an alarm at once: nobody has to wait for the models.
fn rules() -> Value {
    json!({"rules": {SERVICE: {"status": 499}}})
}

fn routes() -> Vec<Value> {
    vec![answered("here", "/here", 200), answered("broken", "/broken", 503)]
}

fn document(envoy: &Value) -> Value {
    json!({"detector": rules(), "envoy": envoy})
}

async fn with_filter(module: &Path, document: &Value, clusters: &[Value]) -> Envoy {
    let listener = Listener::new(routes()).with_filter(&Plugin::new("watchpost", module, document));
    Envoy::start(folder(), &bootstrap(&[listener], clusters, &[]), 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_says_what_is_known_of_a_route() {
    let document = document(&json!({"service": SERVICE, "response_header": "X-Watchpost"}));
    let envoy = with_filter(&module(), &document, &[]).await;
    let client = envoy.client(LISTENER).await;
    let header = async |path: &str| {
        let answer = client.get(path, None).await.expect("Envoy answers");
        let header = answer.headers.get("x-watchpost").expect("there is a header");
        header.to_str().expect("it is text").to_owned()
    };
    assert_eq!(header("/here").await, "normal");
    header("/broken").await;
    let broken = header("/broken").await;
    let parts: Vec<&str> = broken.split("; ").collect();
    assert_eq!(parts[0], "anomalous");
    assert!(parts.iter().any(|part| part.starts_with("kind=")), "{broken}");
    let surprise = parts.iter().find_map(|part| part.strip_prefix("surprise="));
    let surprise = surprise.and_then(|value| value.parse::<f64>().ok());
    assert!(surprise.is_some_and(|surprise| surprise >= 2.0), "{broken}");
    assert_eq!(header("/here").await, "normal", "another route is not affected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_gets_every_alarm_even_when_it_was_away() {
    let collector = Upstream::start(1).await;
    collector.refuse().await;
    let document = document(&json!({
        "service": SERVICE,
        "collector": {"cluster": "collector", "path": "/events", "timeout_seconds": 1},
    }));
    let envoy = with_filter(&module(), &document, &[cluster("collector", collector.address)]).await;
    let client = envoy.client(LISTENER).await;
    let answer = client.get("/broken", None).await.expect("Envoy answers");
    assert_eq!(answer.status, 503);
    until("a callout that fails is tried again", async || {
        let metrics = admin::metrics(envoy.admin()).await;
        let tried = metrics.sum("watchpost_callouts", &[("result", "retried")]);
        (tried >= 1.0).then_some(())
    })
    .await;
    collector.accept().await;
    let posted = until("the collector gets what was waiting", async || {
        collector.posted().into_iter().next()
    })
    .await;
    assert_eq!(posted.path, "/events");
    assert!(
        posted.kind.starts_with("application/cloudevents-batch+json"),
        "{}",
        posted.kind
    );
    let batch: Value = serde_json::from_slice(&posted.body).expect("a batch is JSON");
    let [event] = &batch.as_array().expect("a batch is an array")[..] else {
        panic!("one event: {batch:#}");
    };
    assert_eq!(event["specversion"], "1.0");
    for field in ["id", "source", "type"] {
        assert!(
            event[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}: {event:#}"
        );
    }
    let log = envoy.log();
    let logged = verdicts(&lines(&log));
    let alarm: Value = serde_json::from_str(logged[0].line.message).expect("a verdict is JSON");
    assert_eq!(event["data"], alarm, "what is sent is what is logged");
}

/// The cheap way: nothing passes through the module, which only hears of what is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_access_logger_counts_and_alarms() {
    let module = module();
    let document = document(&json!({"mode": "access-logger", "service": SERVICE}));
    let plugin = Plugin::new("watchpost", &module, &document);
    let listener = Listener::new(routes()).with_access_log(plugin.access_logger());
    let envoy = Envoy::start(folder(), &bootstrap(&[listener], &[], &[]), 2).await;
    let client = envoy.client(LISTENER).await;
    for _ in 0..20 {
        client.get("/here", None).await.expect("Envoy answers");
    }
    client.get("/broken", None).await.expect("Envoy answers");
    let metrics = until("all requests are counted", async || {
        let metrics = admin::metrics(envoy.admin()).await;
        (metrics.sum("watchpost_requests", &[]) >= 21.0).then_some(metrics)
    })
    .await;
    assert_eq!(metrics.sum("watchpost_requests", &[]), 21.0);
    assert_eq!(metrics.sum("watchpost_anomalous_requests", &[]), 1.0);
    assert_eq!(metrics.sum("watchpost_alarms", &[("route", "broken")]), 1.0);
    assert_eq!(
        metrics.sum("watchpost_errors", &[]),
        0.0,
        "{:#?}",
        metrics.ours().collect::<Vec<_>>()
    );
    let log = envoy.log();
    let logged = verdicts(&lines(&log));
    assert_eq!(logged.len(), 1, "{logged:#?}");
    assert_eq!(logged[0].named(), "route broken");
}

/// A state that a server keeps is fetched at the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_state_is_fetched_at_the_start() {
    let server = Upstream::start(1).await;
    server.set("states", Behaviour::Gives(Bytes::from(hour_until(now()))));
    let document = json!({"envoy": {
        "service": SERVICE,
        "warm_start": {"cluster": "states", "path": "/states/shop"},
    }});
    let envoy = with_filter(&module(), &document, &[cluster("states", server.address)]).await;
    let client = envoy.client(LISTENER).await;
    until("the routes of the state are known", async || {
        client.get("/here", None).await.expect("Envoy answers");
        let metrics = admin::metrics(envoy.admin()).await;
        (metrics.sum("watchpost_routes", &[]) >= 9.0).then_some(())
    })
    .await;
}

/// A state that is none is said to be none, and the plugin begins without.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_state_that_is_none_is_refused() {
    let server = Upstream::start(1).await;
    server.set(
        "states",
        Behaviour::Gives(Bytes::from_static(b"<html>not found</html>")),
    );
    let document = document(&json!({
        "service": SERVICE,
        "warm_start": {"cluster": "states", "path": "/states/shop"},
    }));
    let envoy = with_filter(&module(), &document, &[cluster("states", server.address)]).await;
    until("a message says that this is no state", async || {
        let log = envoy.log();
        let said = |line: &&super::lines::Line<'_>| line.message.contains("no state of a Watchpost detector");
        lines(&log).iter().find(said).map(drop)
    })
    .await;
    let client = envoy.client(LISTENER).await;
    client.get("/broken", None).await.expect("Envoy answers");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(verdicts(&lines(&envoy.log())).len(), 1, "it works all the same");
}
