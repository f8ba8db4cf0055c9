//! Everything on a node that a pod could have left there, to be compared as one value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData};
use dataplane_common::abi::{self, names};
use hostnet::{Netlink, Pins, hook, link, route};
use serde_json::Value;

use super::host::{Host, block_on, ips};

/// The state of a node, but for addresses that rest and where the round robin stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Whole {
    /// Links by name, those of others too.
    pub(super) links: BTreeMap<String, u32>,
    /// Destinations of our routes, and the links they go out by.
    pub(super) routes: BTreeSet<(IpAddr, u32)>,
    /// Indexes of devices at which links to programs are pinned, and how many are of each.
    pub(super) hooks: BTreeMap<u32, usize>,
    /// How many filters there are.
    pub(super) filters: usize,
    /// The map of pods: the devices of addresses.
    pub(super) pods: BTreeMap<IpAddr, u32>,
    /// Leases by container, with their phase.
    pub(super) leases: BTreeMap<String, (BTreeSet<IpAddr>, String)>,
    /// Files beside the table and of it.
    pub(super) files: BTreeSet<PathBuf>,
}

impl Whole {
    /// The state with one more pod, whose ADD had this result.
    pub(super) fn with(mut self, host: &Host, container: &str, result: &Value) -> Result<Self> {
        let name = result["interfaces"][0]["name"].as_str().context("no name")?.to_owned();
        let links = host.links()?;
        let found = links.iter().find(|link| link.name == name);
        let index = found.with_context(|| format!("{container} has no link {name}"))?.index;
        let addresses: BTreeSet<IpAddr> = ips(result).into_iter().collect();
        self.links.insert(name, index);
        self.routes.extend(addresses.iter().map(|ip| (*ip, index)));
        self.hooks.insert(index, 2);
        self.pods.extend(addresses.iter().map(|ip| (*ip, index)));
        self.leases.insert(container.to_owned(), (addresses, "ready".to_owned()));
        Ok(self)
    }
}

impl Host {
    /// The whole state.
    pub(super) fn whole(&self) -> Result<Whole> {
        let pins = self.pins();
        let whole = self.run(move || block_on(kernel(&pins)))?;
        let leases = fs::read_to_string(self.table()).unwrap_or_default();
        let leases = leases.lines().filter_map(lease).collect();
        let mut files = BTreeSet::new();
        if let Some(folder) = self.table().parent().filter(|folder| folder.is_dir()) {
            collect(folder, &mut files)?;
        }
        Ok(Whole { leases, files, ..whole })
    }
}

async fn kernel(pins: &Pins) -> Result<Whole> {
    let netlink = Netlink::here()?;
    let mut whole = Whole::default();
    for link in link::list(&netlink).await? {
        whole.filters += hook::filters(&netlink, &link).await?.len();
        whole.links.insert(link.name, link.index);
    }
    let routes = route::list(&netlink).await?.into_iter();
    whole.routes = routes.map(|route| (route.destination.ip(), route.link)).collect();
    for hook in hook::pinned(pins)? {
        *whole.hooks.entry(hook.index).or_default() += 1;
    }
    let data = MapData::from_pin(pins.map(names::PODS))?;
    let pods = HashMap::<_, abi::Addr, abi::Pod>::try_from(Map::HashMap(data))?;
    for entry in &pods {
        let (address, pod) = entry?;
        whole.pods.insert(address.to_ip(), pod.ifindex);
    }
    Ok(whole)
}

/// The container, addresses and phase of a line of the table.
fn lease(line: &str) -> Option<(String, (BTreeSet<IpAddr>, String))> {
    let fields: Vec<&str> = line.strip_prefix("lease\t")?.split('\t').collect();
    let [container, _, addresses, phase, ..] = fields[..] else { return None };
    let addresses = addresses.split(',').filter_map(|ip| ip.parse().ok()).collect();
    Some((container.to_owned(), (addresses, phase.to_owned())))
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}
