//! Networks to try Waggle in and the programs that run there, for the demo and the privileged
//! suites; the verbs of `cargo xtask` are the binary's.

pub mod cluster;
pub mod conntrack;
pub mod topology;
pub mod workload;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};

/// Runs a verb that the network's own processes are started with, if `arguments` (without the
/// program) name one.
#[must_use]
pub fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [topology::NODE_INIT, name] => Some(topology::node_init(name)),
        [workload::SERVER, name, port] => Some(
            port.parse()
                .with_context(|| format!("port {port}"))
                .and_then(|port| workload::serve(name, port)),
        ),
        [workload::ASK, protocol, address, patience] => {
            Some(ask_and_tell(protocol, address, patience))
        }
        [workload::PEERS, talk, address, patience] => Some(peers_and_tell(talk, address, patience)),
        [workload::BESIDE, talk, port, first, second, patience] => {
            Some(beside_and_tell(talk, port, [first, second], patience))
        }
        [workload::PATH, address, patience] => Some(path_and_tell(address, patience)),
        _ => None,
    }
}

fn ask_and_tell(protocol: &str, address: &str, patience: &str) -> Result<()> {
    workload::ask_and_tell(protocol.parse()?, parse_address(address)?, parse_patience(patience)?)?;
    Ok(())
}

fn peers_and_tell(talk: &str, address: &str, patience: &str) -> Result<()> {
    workload::peers_and_tell(talk.parse()?, parse_address(address)?, parse_patience(patience)?)?;
    Ok(())
}

fn beside_and_tell(
    talk: &str,
    port: &str,
    [first, second]: [&str; 2],
    patience: &str,
) -> Result<()> {
    let port = port.parse().with_context(|| format!("port {port}"))?;
    let addresses = [parse_address(first)?, parse_address(second)?];
    workload::beside_and_tell(talk.parse()?, port, addresses, parse_patience(patience)?)?;
    Ok(())
}

fn path_and_tell(address: &str, patience: &str) -> Result<()> {
    workload::path_and_tell(parse_address(address)?, parse_patience(patience)?)?;
    Ok(())
}

fn parse_address(address: &str) -> Result<SocketAddr> {
    address.parse().with_context(|| format!("address {address}"))
}

fn parse_patience(patience: &str) -> Result<Duration> {
    let patience = patience.parse().with_context(|| format!("patience {patience}"))?;
    Ok(Duration::from_millis(patience))
}
