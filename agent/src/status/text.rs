//! Answers as text for people.

use std::fmt::Write as _;
use std::net::IpAddr;

use dataplane_common::abi::BackendState;
use jiff::Timestamp;

use super::contacts;
use super::report::Report;
use super::services::List;
use crate::adoption::Adoption;
use crate::cli::table;
use crate::devices::Class;
use crate::engine::{BackendRow, FrontendRow, ServiceRow};
use crate::maps::dump::state_text;
use crate::masquerade::Ports;
use crate::network::Addresses;

pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    section(&mut text, "", &overview(report));
    if let Some(health) = &report.agent.api {
        let rows = contacts::rows(health, Timestamp::now());
        rows_section(&mut text, "API server", contacts::HEAD, &rows);
    }
    let devices = report.devices.iter().map(|device| {
        [device.device.clone(), device.class.as_str().into(), device.mtu.to_string()]
    });
    rows_section(&mut text, "Devices", ["DEVICE", "CLASS", "MTU"], &devices.collect::<Vec<_>>());
    let hooks = report.hooks.iter().map(|hook| {
        let program = hook.program.unwrap_or("(another build's)");
        let device =
            if hook.present { hook.device.clone() } else { format!("{} (gone)", hook.device) };
        [device, hook.direction.into(), program.into(), hook.program_id.to_string(), hook.by.into()]
    });
    let head = ["DEVICE", "DIRECTION", "PROGRAM", "ID", "BY"];
    rows_section(&mut text, "Hooks", head, &hooks.collect::<Vec<_>>());
    let maps = report.maps.iter().map(|map| {
        [map.name.to_owned(), map.used.to_string(), map.limit.to_string(), map.id.to_string()]
    });
    let head = ["TABLE", "USED", "LIMIT", "ID"];
    rows_section(&mut text, "Tables", head, &maps.collect::<Vec<_>>());
    let counted = report.counters.iter().filter(|(_, count)| **count > 0);
    let counters = counted.map(|(name, count)| [(*name).to_owned(), count.to_string()]);
    rows_section(&mut text, "Packets", ["COUNTER", "COUNT"], &counters.collect::<Vec<_>>());
    let problems: Vec<_> = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    if !problems.is_empty() {
        section(&mut text, "Problems", &problems.concat());
    }
    text
}

fn overview(report: &Report) -> String {
    let Report { healthy, agent, kernel, devices, addresses, .. } = report;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let running = agent.process.as_ref().map_or_else(
        || "not running".to_owned(),
        |process| format!("running (process {process}, since {})", or_dash(&agent.started)),
    );
    let uplinks = devices.iter().filter(|device| device.class == Class::Uplink);
    let uplinks: Vec<_> = uplinks.map(|device| device.device.clone()).collect();
    let dash_if_empty = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let rows = [
        ("Status", if *healthy { "OK".to_owned() } else { "DEGRADED (see below)".to_owned() }),
        ("Agent", running),
        ("Node", or_dash(&agent.node)),
        ("Source", or_dash(&agent.source)),
        ("Last sync", or_dash(&agent.last_sync)),
        ("ServicePorts", agent.service_ports.to_string()),
        ("Build", format!("{} (layout {})", or_dash(&kernel.build), kernel.abi)),
        ("Delivery", kernel.delivery.unwrap_or("-").to_owned()),
        ("Attached by", dash_if_empty(kernel.attached_by.join(", "))),
        ("Uplinks", dash_if_empty(uplinks.join(", "))),
        ("Host clients", report.host_clients.text()),
        ("Masquerade", dash_if_empty(masquerade(addresses))),
        ("NodePorts at", dash_if_empty(listed(&addresses.node_ports))),
        ("Adoption", adoption(&report.adoption)),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        writeln!(text, "{name:<13} {value}").expect("writing to a String cannot fail");
        text
    })
}

/// Whether another proxy's flows are left alone, and why.
fn adoption(adoption: &Adoption) -> String {
    let Adoption { open, because } = adoption;
    if *open { format!("open: {}", because.join(", ")) } else { "closed".to_owned() }
}

/// Addresses and ports that masqueraded flows leave with.
fn masquerade(addresses: &Addresses) -> String {
    let Some(Ports { first, last, shared }) = addresses.ports else { return String::new() };
    let shared = if shared { ", shared with the node's sockets" } else { "" };
    format!("{}, ports {first}-{last}{shared}", listed(&addresses.masquerade))
}

fn listed<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

fn rows_section<const N: usize>(
    text: &mut String,
    title: &str,
    head: [&str; N],
    rows: &[[String; N]],
) {
    if !rows.is_empty() {
        section(text, title, &table(head, rows));
    }
}

fn section(text: &mut String, title: &str, body: &str) {
    if !title.is_empty() {
        writeln!(text, "\n{title}").expect("writing to a String cannot fail");
    }
    text.push_str(body);
}

pub(super) fn services(list: &List) -> String {
    let rows: Vec<_> = list.services.iter().flat_map(rows).collect();
    let head = [
        "NAMESPACE",
        "NAME",
        "TYPE",
        "PORT",
        "FRONTEND",
        "KIND",
        "POLICY",
        "AFFINITY",
        "BACKEND",
        "STATE",
        "SETS",
    ];
    let mut text = table(head, &rows);
    for problem in &list.problems {
        writeln!(text, "problem: {problem}").expect("writing to a String cannot fail");
    }
    text
}

/// As many lines as a ServicePort has frontends or backends, whatever is more. What is the same as
/// in the line before is left out.
fn rows(service: &ServiceRow) -> Vec<[String; 11]> {
    let count = service.frontends.len().max(service.backends.len()).max(1);
    let affinity = service.affinity_seconds.map_or("-".to_owned(), |seconds| format!("{seconds}s"));
    let port = if service.port.is_empty() { "-" } else { &service.port };
    let row = |line: usize| {
        let [frontend, kind, policy] = frontend(service, line);
        let [at, state, sets] = backend(service, line);
        let once = |text: &str| if line == 0 { text.to_owned() } else { String::new() };
        let whole = [&service.namespace, &service.name, &service.r#type, port, &affinity].map(once);
        let [namespace, name, kind_of, port, affinity] = whole;
        [namespace, name, kind_of, port, frontend, kind, policy, affinity, at, state, sets]
    };
    (0..count).map(row).collect()
}

fn frontend(service: &ServiceRow, line: usize) -> [String; 3] {
    let Some(frontend) = service.frontends.get(line) else {
        return Default::default();
    };
    let FrontendRow { address, kind, traffic_policy, keep_client_ip } = frontend;
    let kept = if *keep_client_ip { ", keeps clients" } else { "" };
    [address.clone(), kind.clone(), format!("{traffic_policy}{kept}")]
}

fn backend(service: &ServiceRow, line: usize) -> [String; 3] {
    match service.backends.get(line) {
        Some(backend) => {
            let sets = backend.scopes.join("+");
            [backend.address.to_string(), state(backend), sets]
        }
        None if service.backends.is_empty() && line == 0 => {
            ["(none)".to_owned(), String::new(), String::new()]
        }
        None => Default::default(),
    }
}

/// A backend in no set may be on its way out, or be meant for others.
fn state(backend: &BackendRow) -> String {
    let takes_none = backend.state != state_text(BackendState::Active) && backend.scopes.is_empty();
    if takes_none { "not chosen".to_owned() } else { backend.state.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::state;
    use super::*;

    #[test]
    fn a_service_port_is_as_many_lines_as_it_has_ends() {
        let mut services = state().services;
        services[0].r#type = "NodePort".to_owned();
        services[0].affinity_seconds = Some(10_800);
        services[0].frontends.push(FrontendRow {
            address: "0.0.0.0:30080/TCP".to_owned(),
            kind: "nodePort".to_owned(),
            traffic_policy: "Cluster".to_owned(),
            keep_client_ip: true,
        });
        services[0].backends.push(BackendRow {
            address: "10.1.2.2:8080".parse().unwrap(),
            state: "terminating".to_owned(),
            scopes: vec![],
        });
        let (name, port) = ("idle".to_owned(), String::new());
        services.push(ServiceRow { name, port, backends: vec![], ..state().services.remove(0) });
        let problems = vec!["Service shop/idle: why not".to_owned()];
        let expected = "\
NAMESPACE   NAME   TYPE        PORT   FRONTEND            KIND        POLICY                   \
AFFINITY   BACKEND         STATE        SETS
shop        cart   NodePort    http   10.96.0.1:80/TCP    clusterIP   Cluster                  \
10800s     10.1.1.2:8080   active       cluster
                                      0.0.0.0:30080/TCP   nodePort    Cluster, keeps clients              \
10.1.2.2:8080   not chosen
shop        idle   ClusterIP   -      10.96.0.1:80/TCP    clusterIP   Cluster                  \
-          (none)
problem: Service shop/idle: why not
";
        assert_eq!(super::services(&List { services, problems }), expected);
    }
}
