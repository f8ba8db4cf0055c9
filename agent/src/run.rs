//! `waggle agent`: what must hold, what is brought up, and the loop that follows.

mod agent;
mod news;
mod policies;
mod pulse;
mod record;
mod standing;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use dataplane_common::abi::NodeConfig;
use hostnet::{Netlink, Pins};
use tracing::{info, warn};

use crate::cli::{AgentArgs, Places};
use crate::config::{Config, ConfigError};
use crate::detection::Detection;
use crate::engine::Engine;
use crate::loader::hooks::{self, Scan, Wanted};
use crate::loader::{self, Found, LoadError};
use crate::lock::AgentLock;
use crate::logging;
use crate::maps::delivery::DeliveryMaps;
use crate::maps::host_ports::HostPortMaps;
use crate::maps::kernel::KernelMaps;
use crate::maps::networks::NetworkMaps;
use crate::metrics::Metrics;
use crate::network::{Network, Parts, Settings};
use crate::node_file;
use crate::problem::Problem;
use crate::status::State;
use crate::timeouts::Timeouts;
use crate::wake::Wake;
use crate::whole_file;

use agent::Agent;
use pulse::Pulse;
use record::Record;
use standing::Standing;

/// Runs until it is told to stop. Everything stays attached.
///
/// # Errors
/// When something does not hold that must, before anything is changed; or when the kernel refuses
/// what must be brought up.
pub async fn run(args: AgentArgs) -> anyhow::Result<ExitCode> {
    let (config, left_out) = settings(&args)?;
    let origin = args.source(&config).await?;
    begin_log(&args, &config, left_out.as_ref())?;
    let node_name = config.node_name.clone().map_or_else(host_name, Ok)?;
    let AgentArgs { places, cgroup_root, .. } = args;
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
    let (maps, wake) = (KernelMaps::open(&pins)?, Wake::open(&pins)?);
    let timeouts = Timeouts::open(&pins, &config.conntrack)?;
    let mut engine =
        Engine::restore(&node_name, config.keep_client_ip, &maps).context("reading the tables")?;
    let network = network(&node_name, netlink, pins, &config, &places)?;
    engine.hold(&network.held().await?);
    let (metrics, run_dir) = (Metrics::new()?, places.run_dir.clone());
    tidy(&run_dir)?;
    let before = State::read(&run_dir).ok().flatten();
    let mut state = agent::first_state(&node_name, origin.place(), &config, host_clients, before);
    state.problems.extend(left_out.clone());
    let source = origin.open(metrics.requests.clone())?;
    source.announce(news::started(&node_name));
    let pulse = Pulse::begin(&node_name, &config, metrics)?;
    let (record, told) = (Record::default(), None);
    let standing = Standing::new(left_out, &config, timeouts, &places);
    Agent { engine, maps, wake, source, network, pulse, state, run_dir, record, told, standing }
        .follow()
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// Removes what writers that were killed have left.
fn tidy(run_dir: &Path) -> anyhow::Result<()> {
    for file in [State::path(run_dir), node_file::path(run_dir)] {
        whole_file::tidy(&file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// What flags and file say, and what the file says in vain.
fn settings(args: &AgentArgs) -> Result<(Config, Option<Problem>), ConfigError> {
    let Some(path) = args.config.as_deref() else {
        return Ok((args.over(Config::default()), None));
    };
    let taken = Config::read(path)?;
    let left_out = taken.warning(path);
    Ok((args.over(taken.config), left_out))
}

fn begin_log(args: &AgentArgs, config: &Config, left_out: Option<&Problem>) -> anyhow::Result<()> {
    logging::begin(args.log_format, config.log_level)?;
    if let Some(left_out) = left_out {
        warn!("{left_out}");
    }
    Ok(())
}

/// The name that a kubelet gives its node where nobody says otherwise.
fn host_name() -> anyhow::Result<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().trim().to_lowercase();
    anyhow::ensure!(!name.is_empty(), "the host has no name: give --node-name");
    Ok(name)
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
    let host_ports = HostPortMaps::open(&pins)?;
    let (mode, vxlan) = (config.mode, config.vxlan);
    let (attach, selection) = (config.attach, config.devices.clone());
    let boot_id = node_file::boot_id().context("reading the boot's identifier")?;
    let run_dir = places.run_dir.clone();
    let detection =
        Detection { by: config.detect_local.clone(), masquerade_all: config.masquerade_all };
    let settings = Settings { detection, node_port_addresses: config.node_port_addresses.clone() };
    let period = config.sync_period.max(agent::TICK);
    let parts = Parts {
        pins,
        mode,
        vxlan,
        attach,
        selection,
        settings,
        maps,
        host_ports,
        networks,
        run_dir,
        boot_id,
        period,
    };
    Ok(Network::new(node, netlink, parts)?)
}

/// The text of a path, for people.
fn text(path: &Path) -> String {
    path.display().to_string()
}
