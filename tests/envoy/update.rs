//! The configuration changes while requests flow: none of them fails, and nothing that was learned is lost.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{self, stats};
use super::bootstrap::{LISTENER, Listener, Plugin, answered, bootstrap, file_access_log};
use super::lines::lines;
use super::load::Client;
use super::process::{Envoy, folder, module, replace, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_is_updated_while_requests_flow() {
    let files = folder();
    let (listeners, accesses) = (files.path().join("listeners.json"), files.path().join("access.json"));
    let old = json!({"envoy": {"service": "shop", "checkpoint_seconds": 1}});
    replace(&listeners, &resources(&accesses, &old)).expect("the folder is ours");
    let mut config = bootstrap(&[], &[], &[]);
    config["dynamic_resources"] = json!({
        "lds_config": {"path_config_source": {"path": listeners}, "resource_api_version": "V3"},
    });
    let envoy = Envoy::start(files, &config, 1).await;
    let client = envoy.client(LISTENER).await;
    let flow = Flow::start(&client);
    until("two hundred requests and a checkpoint", async || {
        let saved = admin::metrics(envoy.admin()).await;
        let saved = saved.sum("watchpost_checkpoints", &[("result", "saved")]);
        (flow.asked() > 200 && saved >= 1.0).then_some(())
    })
    .await;

    let new = json!({
        "envoy": {"service": "shop", "checkpoint_seconds": 1, "response_header": "x-watchpost"},
    });
    let before = flow.asked();
    replace(&listeners, &resources(&accesses, &new)).expect("the folder is ours");
    until("the new configuration shows in a response", async || {
        has_header(&envoy).await.then_some(())
    })
    .await;
    until("two hundred more requests", async || {
        (flow.asked() > before + 200).then_some(())
    })
    .await;

    // A configuration that cannot be used is refused, and the one before goes on.
    let bad = json!({"envoy": {"mode": "filtre"}});
    replace(&listeners, &resources(&accesses, &bad)).expect("the folder is ours");
    until("the bad configuration is refused", async || {
        let stats = stats(envoy.admin()).await;
        (stats["listener_manager.lds.update_rejected"] == 1).then_some(())
    })
    .await;
    let before = flow.asked();
    until("requests after that", async || {
        (flow.asked() > before + 100).then_some(())
    })
    .await;
    assert!(has_header(&envoy).await, "the configuration before the bad one is gone");
    let log = envoy.log();
    let said = lines(&log);
    assert!(
        said.iter()
            .any(|line| line.message.contains("envoy.mode") && line.message.contains("filtre")),
        "nobody says what is wrong with the configuration: {said:#?}"
    );

    let asked = flow.stop().await;
    let files = envoy.stop().await;
    let rows = rows(&accesses);
    drop(files);
    assert!(asked >= 500, "{asked}");
    assert!(rows.len() as u64 >= asked, "{} rows of {asked} requests", rows.len());
    // While connections drain, two configurations are at work, each with what was known when the second one came.
    let least = rows[200..].iter().min().expect("there are more than two hundred");
    assert!(*least >= 150, "the detector has begun anew: rows {rows:?}");
    let last = rows.iter().max().expect("there are rows");
    assert!(*last >= 400, "the detector forgets: rows {rows:?}");
}

fn resources(accesses: &Path, document: &Value) -> String {
    let module = module();
    let listener = Listener::new(vec![answered("here", "/", 200)])
        .with_filter(&Plugin::new("watchpost", &module, document))
        .with_access_log(file_access_log(accesses));
    let mut listener = listener.config();
    listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
    json!({"version_info": "1", "resources": [listener]}).to_string()
}

/// What a new connection gets.
async fn has_header(envoy: &Envoy) -> bool {
    let client = envoy.client(LISTENER).await;
    let answer = client.get("/", None).await.expect("Envoy answers");
    assert_eq!(answer.status, 200);
    answer.headers.contains_key("x-watchpost")
}

/// The numbers of the rows in the access log, in the order of the requests.
fn rows(accesses: &Path) -> Vec<u64> {
    let text = fs::read_to_string(accesses).expect("Envoy writes an access log");
    let row = |line: &str| {
        let access: Value = serde_json::from_str(line).expect("Envoy writes JSON");
        let verdict = access["verdict"].as_str().expect("every request has a verdict");
        let verdict: Value = serde_json::from_str(verdict).expect("a verdict is JSON");
        verdict["row"].as_u64().expect("a verdict has a row")
    };
    text.lines().map(row).collect()
}

/// Requests one after the other, none of which may fail.
struct Flow {
    asked: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Flow {
    fn start(client: &Client) -> Self {
        let (asked, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn({
            let (client, asked, over) = (client.clone(), asked.clone(), over.clone());
            async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = client.get("/", None).await.expect("no request fails");
                    assert_eq!(answer.status, 200, "no request fails");
                    asked.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
        Flow { asked, over, task }
    }

    /// How many were answered so far.
    fn asked(&self) -> u64 {
        assert!(!self.task.is_finished(), "a request has failed");
        self.asked.load(Ordering::Relaxed)
    }

    async fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.expect("no request fails");
        self.asked.load(Ordering::Relaxed)
    }
}
