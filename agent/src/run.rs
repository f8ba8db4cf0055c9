//! `waggle agent`: what must hold, what is brought up, and the loop that follows.

mod agent;
mod record;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use dataplane_common::abi::NodeConfig;
use hostnet::{Netlink, Pins};
use tracing::info;

use crate::cli::{AgentArgs, Places};
use crate::config::Config;
use crate::engine::Engine;
use crate::loader::hooks::{self, Scan, Wanted};
use crate::loader::{self, Found, LoadError};
use crate::lock::AgentLock;
use crate::logging;
use crate::maps::delivery::DeliveryMaps;
use crate::maps::kernel::KernelMaps;
use crate::maps::networks::NetworkMaps;
use crate::network::{Network, Parts};
use crate::node_file;
use crate::status::State;
use crate::whole_file;

use agent::Agent;
use record::Record;

/// Runs until it is told to stop. Everything stays attached.
///
/// # Errors
/// When something does not hold that must, before anything is changed; or when the kernel refuses
/// what must be brought up.
pub async fn run(args: AgentArgs) -> anyhow::Result<ExitCode> {
    let origin = args.source().await?;
    let mut config = args.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    logging::begin(args.log_format, config.log_level)?;
    let AgentArgs { node_name, places, cgroup_root, devices, .. } = args;
    config.devices = devices.unwrap_or(config.devices);
    loader::capable()?;
    let cgroup_root = loader::cgroup_root(cgroup_root.as_deref())?;
    loader::on_bpffs(&places.bpf_root)?;
    loader::one_layout(&places.bpf_root)?;
    let object = loader::object().ok_or(LoadError::NoObject)?;
    let _held = AgentLock::take(&places.run_dir)?;
    loader::has_bpf()?;
    let pins = Pins::new(&places.bpf_root);
    pins.create().map_err(LoadError::from)?;
    let _pins_held = AgentLock::take_pins(pins.root())?;
    let netlink = Netlink::here()?;
    bring_up(&netlink, &pins, object, &config).await?;
    let host_clients = loader::attach_clients(&pins, cgroup_root.as_deref())?;
    let maps = KernelMaps::open(&pins)?;
    let engine =
        Engine::restore(&node_name, config.keep_client_ip, &maps).context("reading the tables")?;
    let network = network(&node_name, netlink, pins, &config, &places)?;
    let run_dir = places.run_dir;
    for file in [State::path(&run_dir), node_file::path(&run_dir)] {
        whole_file::tidy(&file).with_context(|| file.display().to_string())?;
    }
    let before = State::read(&run_dir).ok().flatten();
    let state = agent::first_state(&node_name, origin.place(), &config, host_clients, before);
    let source = origin.open()?;
    let (record, told) = (Record::default(), None);
    Agent { engine, maps, source, network, state, run_dir, record, told }.follow().await?;
    Ok(ExitCode::SUCCESS)
}

/// Makes this build's programs run in every hook that there is.
async fn bring_up(
    netlink: &Netlink,
    pins: &Pins,
    object: &[u8],
    config: &Config,
) -> Result<(), LoadError> {
    let (refusal, clock) = (loader::refusal().number(), loader::clock().number());
    let node_config = NodeConfig { refusal, clock, ..NodeConfig::new(config.delivery.into()) };
    let build = loader::build(object, &node_config);
    match loader::load(pins, object, &node_config)? {
        Found::Same => {
            info!(build = format!("{build:016x}"), "adopted the pinned programs and tables");
        }
        Found::Other => {
            let (choice, wanted) = (config.attach.into(), Wanted::default());
            let changes = hooks::ensure(netlink, pins, choice, Scan::Everything, &wanted).await?;
            // Otherwise the next start tries again.
            if changes.failed.is_empty() {
                loader::settle(pins, build)?;
            }
            let replaced = changes.attached.len();
            info!(build = format!("{build:016x}"), replaced, "loaded programs");
        }
    }
    Ok(())
}

fn network(
    node: &str,
    netlink: Netlink,
    pins: Pins,
    config: &Config,
    places: &Places,
) -> anyhow::Result<Network> {
    let (maps, networks) = (DeliveryMaps::open(&pins)?, NetworkMaps::open(&pins)?);
    let (attach, selection) = (config.attach, config.devices.clone());
    let boot_id = node_file::boot_id().context("reading the boot's identifier")?;
    let run_dir = places.run_dir.clone();
    let parts = Parts { pins, attach, selection, maps, networks, run_dir, boot_id };
    Ok(Network::new(node, netlink, parts)?)
}

/// The text of a path, for people.
fn text(path: &Path) -> String {
    path.display().to_string()
}
