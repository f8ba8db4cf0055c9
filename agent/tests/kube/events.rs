//! Events that are written to an API server, and what becomes of them where it does not take them.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;
use waggle_agent::k8s::{Event, Kind, ObjectRef};
use waggle_agent::kube::{ApiServer, Entrance};
use waggle_agent::model::Name;

use super::cluster::block_on;

type Written = Arc<Mutex<Vec<(String, Value)>>>;

/// A server that notes what is written and answers with these codes in turn, and from then on with
/// 201; it has no objects.
fn server(codes: &[u16]) -> (Entrance, Written) {
    let written = Written::default();
    let (noted, codes) = (Arc::clone(&written), Arc::new(Mutex::new(codes.to_vec())));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (noted, codes) = (Arc::clone(&noted), Arc::clone(&codes));
        async move {
            let is_post = request.method() == Method::POST;
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await?.to_bytes();
            let code = if is_post {
                noted.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap()));
                let mut codes = codes.lock().unwrap();
                if codes.is_empty() { 201 } else { codes.remove(0) }
            } else {
                404
            };
            let response = Response::builder().status(code).body(Body::from(b"{}".to_vec()));
            ready(Ok::<_, kube::Error>(response.unwrap())).await
        }
    });
    let client = Client::new(service, "default");
    let address = "https://api.test".to_owned();
    (Entrance { client, address, access: None, figures: None }, written)
}

fn event(kind: Kind, name: Name) -> Event {
    Event {
        about: ObjectRef { kind, name },
        is_warning: kind == Kind::Service,
        reason: "Reason",
        action: "Action",
        note: "it is so".to_owned(),
        node: "a".to_owned(),
    }
}

#[test]
fn an_event_stands_beside_its_object() {
    block_on(async {
        let (entrance, written) = server(&[]);
        let source = ApiServer::follow(entrance);
        source.announce(event(Kind::Node, Name::new("", "a")));
        source.announce(event(Kind::Service, Name::new("shop", "cart")));
        sleep(Duration::from_secs(1)).await;
        let mut written = written.lock().unwrap().clone();
        for (_, event) in &mut written {
            let name = event["metadata"]["name"].take();
            let (object, time) = name.as_str().unwrap().split_once('.').unwrap();
            assert_eq!(event["regarding"]["name"], object);
            assert!(u64::from_str_radix(time, 16).is_ok(), "{name}");
            assert!(event["eventTime"].take().as_str().unwrap().ends_with('Z'));
        }
        let expected = |namespace: &str, kind: &str, regarding: Value| {
            let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
            let event = json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "eventTime": null,
                "metadata": {"name": null, "namespace": namespace},
                "reportingController": "waggle", "reportingInstance": "waggle-a",
                "action": "Action", "reason": "Reason", "type": kind, "note": "it is so",
                "regarding": regarding,
            });
            (path, event)
        };
        let node = json!({"apiVersion": "v1", "kind": "Node", "name": "a"});
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "name": "cart", "namespace": "shop"});
        assert_eq!(
            written,
            [expected("default", "Normal", node), expected("shop", "Warning", service)]
        );
    });
}

#[test]
fn an_event_that_is_not_taken_is_tried_again_unless_it_never_will_be() {
    for (name, codes, tries) in [
        ("taken", &[][..], 1),
        ("a busy server", &[429, 503], 3),
        ("not allowed", &[403], 1),
        ("malformed, it says", &[422], 1),
        ("never", &[429; 50], 12),
    ] {
        block_on(async {
            let (entrance, written) = server(codes);
            let source = ApiServer::follow(entrance);
            source.announce(event(Kind::Node, Name::new("", "a")));
            sleep(Duration::from_secs(600)).await;
            assert_eq!(written.lock().unwrap().len(), tries, "{name}");
        });
    }
}
