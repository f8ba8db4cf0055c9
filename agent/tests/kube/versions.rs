//! Events that come late, twice or out of order, and lists that go back.

use std::time::Duration;

use replay::{Answer, Piece, Resource, Verb};
use serde_json::{Value, json};

use super::cluster::{Cluster, block_on, outcome_of_files};
use super::objects::{service, shop, with};

/// What happened, in which version, to which Service of which uid, and its address.
type Said = (&'static str, u64, (&'static str, u8), &'static str);

const CART: (&str, u8) = ("cart", 1);
const TILL: (&str, u8) = ("till", 1);
/// A Service of the same name that was created later.
const NEW: (&str, u8) = ("cart", 2);

/// Events after which only these addresses of cart and till are served.
type Row = (&'static str, &'static [Said], [Option<&'static str>; 2]);

const ROWS: [Row; 6] = [
    (
        "one object",
        &[
            ("MODIFIED", 2000, CART, "10.96.0.20"),
            ("MODIFIED", 1500, CART, "10.96.0.15"),
            ("DELETED", 1999, CART, "10.96.0.15"),
            ("MODIFIED", 2000, CART, "10.96.0.20"),
            ("MODIFIED", 2001, CART, "10.96.0.21"),
            ("ADDED", 1001, CART, "10.96.0.1"),
        ],
        [Some("10.96.0.21"), Some("10.96.0.2")],
    ),
    (
        "another object",
        &[("MODIFIED", 2000, CART, "10.96.0.20"), ("MODIFIED", 1500, TILL, "10.96.0.15")],
        [Some("10.96.0.20"), Some("10.96.0.15")],
    ),
    (
        "the deletion of another object",
        &[("MODIFIED", 2000, CART, "10.96.0.20"), ("DELETED", 1500, TILL, "10.96.0.2")],
        [Some("10.96.0.20"), None],
    ),
    (
        "a change after the deletion",
        &[
            ("DELETED", 2000, CART, "10.96.0.1"),
            ("MODIFIED", 1999, CART, "10.96.0.19"),
            ("MODIFIED", 2001, TILL, "10.96.0.15"),
        ],
        [None, Some("10.96.0.15")],
    ),
    (
        "created again",
        &[("DELETED", 2000, CART, "10.96.0.1"), ("ADDED", 2001, NEW, "10.96.0.21")],
        [Some("10.96.0.21"), Some("10.96.0.2")],
    ),
    (
        "created again before it was deleted",
        &[
            ("ADDED", 2001, NEW, "10.96.0.21"),
            ("DELETED", 2000, CART, "10.96.0.1"),
            ("MODIFIED", 1999, CART, "10.96.0.19"),
        ],
        [Some("10.96.0.21"), Some("10.96.0.2")],
    ),
];

fn line((kind, version, (name, uid), ip): Said) -> Piece {
    let object = with(service(name, ip), "metadata.resourceVersion", json!(version.to_string()));
    let object = with(object, "metadata.uid", json!(format!("uid-{name}-{uid}")));
    Piece::Text(json!({"type": kind, "object": object}).to_string() + "\n")
}

/// The shop with these addresses of cart and till.
fn shop_of([cart, till]: [Option<&str>; 2]) -> Vec<Value> {
    let mut objects = shop();
    objects.retain(|object| object["kind"] != "Service");
    objects.extend(cart.map(|ip| service("cart", ip)));
    objects.extend(till.map(|ip| service("till", ip)));
    objects
}

#[test]
fn events_that_are_repeated_or_out_of_order_do_not_undo_newer_ones_nor_lose_others() {
    for (name, events, addresses) in ROWS {
        block_on(async {
            let mut cluster = Cluster::of(&shop());
            let lines = events.iter().copied().map(line);
            let answer = Answer::Stream(lines.chain([Piece::Silence]).collect());
            cluster.server.fault(Resource::Services, Verb::Watch, answer);
            let expected = shop_of(addresses);
            assert_eq!(cluster.until_like(&expected).await, [""; 0], "{name}");
            cluster.rest(Duration::from_secs(60)).await;
            assert_eq!(cluster.outcome(), outcome_of_files(&expected), "{name}");
        });
    }
}

#[test]
fn a_list_of_a_server_that_was_set_back_is_the_truth() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        let old = with(service("cart", "10.96.0.20"), "metadata.resourceVersion", json!("7"));
        let list = json!({"metadata": {"resourceVersion": "8"}, "items": [old]}).to_string();
        cluster.server.fault(Resource::Services, Verb::List, Answer::body(list));
        cluster.server.compact();
        cluster.until(|it| it.outcome().table.contains("10.96.0.20")).await;
        assert!(!cluster.outcome().table.contains("shop/till"));
    });
}
