//! Ports of the node that lead to pods: the CNI plugin makes them, here is put back what was lost
//! with the tables, and taken away what pods have left that were never deleted.

use std::collections::BTreeSet;
use std::path::Path;

use dataplane_common::abi::{FrontendKey, HostPort};
use hostnet::host_ports::{HostPorts, Record};
use tracing::info;

use crate::maps::delivery::is_gone;
use crate::maps::host_ports::HostPortMaps;
use crate::model::Protocol;
use crate::node_ports::NodePorts;
use crate::problem::Problem;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Mending {
    /// What was recorded and is in the table no longer.
    lost: HostPorts,
    /// What leads to a link that is gone.
    gone: HostPorts,
    /// What the record shall hold, where it does not.
    record: Option<HostPorts>,
}

impl Mending {
    fn of(present: &HostPorts, recorded: &HostPorts, is_gone: impl Fn(u32) -> bool) -> Self {
        let of_life = |ports: &HostPorts, is_wanted: bool| -> HostPorts {
            let ports = ports.iter().filter(|(_, to)| is_gone(to.ifindex) != is_wanted);
            ports.map(|(key, to)| (*key, *to)).collect()
        };
        let (gone, mut lost) = (of_life(present, false), of_life(recorded, true));
        let mut record = lost.clone();
        record.extend(of_life(present, true));
        // What another pod has taken over is not lost.
        lost.retain(|key, _| present.get(key).is_none_or(|to: &HostPort| is_gone(to.ifindex)));
        Self { lost, gone, record: (record != *recorded).then_some(record) }
    }
}

/// Makes table and record say the same of pods that live, and tells of NodePorts that they hide. Where
/// the plugin is at work on them just now, mending is left to the next time.
///
/// # Errors
/// When a file or the kernel refuses.
pub fn keep(
    maps: &mut HostPortMaps,
    run_dir: &Path,
    boot_id: &str,
    node_ports: &NodePorts,
) -> anyhow::Result<BTreeSet<Problem>> {
    if !maps.all()?.is_empty() || Record::is_at(run_dir) {
        mend(maps, run_dir, boot_id)?;
    }
    Ok(hidden(&maps.all()?, node_ports))
}

fn mend(maps: &mut HostPortMaps, run_dir: &Path, boot_id: &str) -> anyhow::Result<()> {
    let Some(record) = Record::lock(run_dir, boot_id, false)? else { return Ok(()) };
    let mending = Mending::of(&maps.all()?, &record.read(), is_gone);
    if let Some(ports) = &mending.record {
        record.write(ports)?;
    }
    maps.remove(&mending.gone)?;
    maps.add(&mending.lost)?;
    let (restored, removed) = (mending.lost.len(), mending.gone.len());
    if restored + removed > 0 {
        info!(restored, removed, "mended the table of host ports");
    }
    Ok(())
}

/// NodePorts with the number of a host port, which goes before them.
fn hidden(ports: &HostPorts, node_ports: &NodePorts) -> BTreeSet<Problem> {
    let mut problems = BTreeSet::new();
    for (FrontendKey { port, proto, .. }, to) in ports {
        let (port, pod) = (port.number(), to.addr.to_ip());
        let is_it =
            |(number, protocol): &&(u16, Protocol)| *number == port && protocol.proto() == *proto;
        if let Some((_, protocol)) = node_ports.ports.iter().find(is_it) {
            let message = format!(
                "is also the hostPort of pod {pod}, which gets what is sent there: give one of them \
                 another port"
            );
            problems.insert(Problem::note(format!("NodePort {port}/{protocol}"), message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::{Addr, FrontendKind, Port, Proto};

    use super::*;

    /// Ports by number, and the link that each leads to.
    fn ports(rows: &[(u16, u32)]) -> HostPorts {
        let row = |(port, ifindex): &(u16, u32)| {
            let (addr, kind) = (Addr::default(), FrontendKind::AnyNode.number());
            let key = FrontendKey { addr, port: Port::new(*port), proto: Proto::TCP, kind };
            (key, HostPort { ifindex: *ifindex, ..HostPort::default() })
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn table_and_record_mend_each_other_as_far_as_pods_live() {
        const GONE: u32 = 9;
        for (name, present, recorded, lost, gone, record) in [
            ("right", vec![(80, 7)], vec![(80, 7)], vec![], vec![], None),
            ("lost", vec![], vec![(80, 7)], vec![(80, 7)], vec![], None),
            ("not recorded", vec![(80, 7)], vec![], vec![], vec![], Some(vec![(80, 7)])),
            ("gone", vec![(80, GONE)], vec![(80, GONE)], vec![], vec![(80, GONE)], Some(vec![])),
            ("recorded alone", vec![], vec![(80, GONE)], vec![], vec![], Some(vec![])),
            ("taken over", vec![(80, 8)], vec![(80, 7)], vec![], vec![], Some(vec![(80, 8)])),
            ("left over", vec![(80, GONE)], vec![(80, 7)], vec![(80, 7)], vec![(80, GONE)], None),
        ] {
            let expected = Mending {
                lost: ports(&lost),
                gone: ports(&gone),
                record: record.map(|rows| ports(&rows)),
            };
            let is_gone = |ifindex| ifindex == GONE;
            assert_eq!(
                Mending::of(&ports(&present), &ports(&recorded), is_gone),
                expected,
                "{name}"
            );
        }
    }
    #[test]
    fn a_node_port_that_a_host_port_hides_is_told() {
        let node_ports = |protocol| NodePorts { range: None, ports: [(30_080, protocol)].into() };
        let told = "NodePort 30080/TCP is also the hostPort of pod ::, which gets what is sent there: \
                    give one of them another port";
        for (port, protocol, expected) in [
            (30_080, Protocol::Tcp, vec![told]),
            (30_080, Protocol::Udp, vec![]),
            (30_081, Protocol::Tcp, vec![]),
        ] {
            let problems = hidden(&ports(&[(port, 7)]), &node_ports(protocol));
            let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{port} {protocol}");
        }
    }
}
