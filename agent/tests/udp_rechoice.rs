//! When a client's UDP flow goes to another backend: objects in, the backend of its next packet out.

use dataplane_common::abi::{Delivery, FlowKey, Port, Proto};
use dataplane_common::flow::{Arrival, Ingress, Verdict, Work, arrive};
use dataplane_common::packet::Transport;
use waggle_agent::k8s::{Change, Kind};

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, Shape, delete, slice_of};
use crate::support::packets::{Chance, packet};
use crate::support::watched::WatchedMaps;

const VIP: [u8; 4] = [10, 96, 0, 1];
const CLIENT: [u8; 4] = [10, 1, 0, 100];

/// Where the client's next datagram goes: the last byte of its backend's address.
fn next(node: &Node, random: u32) -> Result<u8, Verdict> {
    let (sport, dport, proto) = (Port::new(4000), Port::new(80), Proto::UDP);
    let key = FlowKey { src: CLIENT, dst: VIP, sport, dport, proto, reserved: [0; 3] };
    let mut packet = packet(key, Transport::Udp { checksum: true });
    let arrival = Arrival { by: Ingress::Pod, ifindex: 1, segment: 60, delivery: Delivery::Stack };
    let (tables, mut work) = (&node.maps.inner().fake, Work::default());
    match arrive(&mut packet, &&[][..], &arrival, tables, &Chance::of(random), &mut work) {
        Verdict::Stack => Ok(work.exit.rewrite.to.dst[3]),
        other => Err(other),
    }
}

fn dns(shape: Shape) -> Change {
    Shape { protocol: Some("UDP"), ..shape }.change()
}

fn shape() -> Shape {
    Shape::of("dns", &["10.96.0.1"])
}

fn endpoints(endpoints: &[Endpoint<'_>]) -> Change {
    slice_of(Some("UDP"), "dns-1", "dns", endpoints)
}

fn here(number: u8, condition: &'static str) -> Endpoint<'static> {
    (format!("10.1.0.{number}"), NAME, condition)
}

fn there(number: u8, condition: &'static str) -> Endpoint<'static> {
    (format!("10.1.0.{number}"), "node-b", condition)
}

/// A node on which the client's flow goes to backend 1; by chance the next would go to the last.
fn flowing() -> Node {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![dns(shape()), endpoints(&[here(1, "ready"), there(2, "ready")])]);
    assert_eq!(next(&node, 0), Ok(1));
    node
}

const LAST: u32 = u32::MAX;

#[test]
fn a_flow_goes_elsewhere_once_its_backend_serves_no_longer_and_for_no_other_change() {
    let two = there(2, "ready");
    let local = || Shape { internal_local: true, ..shape() };
    let held = || Shape { affinity_seconds: Some(10), ..shape() };
    for (name, changes, expected) in [
        ("nothing", vec![], Ok(1)),
        (
            "another comes",
            vec![endpoints(&[here(1, "ready"), two.clone(), here(3, "ready")])],
            Ok(1),
        ),
        ("another leaves", vec![endpoints(&[here(1, "ready")])], Ok(1)),
        ("it drains", vec![endpoints(&[here(1, "terminating"), two.clone()])], Ok(1)),
        ("it has drained", vec![endpoints(&[here(1, "gone"), two.clone()])], Ok(2)),
        ("it is gone", vec![endpoints(std::slice::from_ref(&two))], Ok(2)),
        ("all are gone", vec![endpoints(&[])], Err(Verdict::Answer)),
        ("its slice is gone", vec![delete(Kind::EndpointSlice, "dns-1")], Err(Verdict::Answer)),
        ("the Service is gone", vec![delete(Kind::Service, "dns")], Err(Verdict::Pass)),
        ("the policy hides others", vec![dns(local())], Ok(1)),
        ("clients are held", vec![dns(held())], Ok(1)),
        ("it moves to another node", vec![endpoints(&[there(1, "ready"), two.clone()])], Ok(1)),
        (
            "it moves, and the policy hides it",
            vec![dns(local()), endpoints(&[there(1, "ready"), here(2, "ready")])],
            Ok(1),
        ),
    ] {
        let mut node = flowing();
        node.feed(changes);
        assert_eq!(next(&node, LAST), expected, "{name}");
    }
}

#[test]
fn a_flow_without_backends_is_served_again_as_soon_as_there_is_one() {
    let mut node = flowing();
    for (name, served, expected) in [
        ("nobody", vec![], Err(Verdict::Answer)),
        ("nobody, still", vec![], Err(Verdict::Answer)),
        ("another", vec![there(2, "ready")], Ok(2)),
        ("nobody again", vec![there(2, "gone")], Err(Verdict::Answer)),
        ("the first", vec![here(1, "ready")], Ok(1)),
        ("the first, made anew by its address", vec![], Err(Verdict::Answer)),
        ("it is back", vec![here(1, "ready"), there(2, "ready")], Ok(2)),
    ] {
        node.feed(vec![endpoints(&served)]);
        assert_eq!(next(&node, LAST), expected, "{name}");
    }
}

#[test]
fn a_restart_moves_no_flow() {
    let all = [here(1, "ready"), there(2, "ready"), there(3, "ready")];
    for (name, while_away, expected) in [
        ("nothing else", &all[..2], Ok(1)),
        ("another came", &all[..], Ok(1)),
        ("it went", &all[1..], Ok(3)),
    ] {
        let mut node = flowing();
        node.restart_without_source();
        assert_eq!(next(&node, LAST), Ok(1), "{name}: nothing is known yet");
        node.feed(vec![dns(shape()), endpoints(while_away)]);
        node.feed(vec![Change::Listed { complete: true }]);
        assert_eq!(next(&node, LAST), expected, "{name}");
    }
}
