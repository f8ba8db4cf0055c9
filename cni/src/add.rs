//! ADD: reserve, build, attach, tell.

use std::path::Path;

use dataplane_common::abi::{NetnsId, Pod, PodFlags};
use hostnet::{NetNs, Netlink, link, sysctl};
use serde_json::Value;

use crate::ipam::{LOCK_DEADLINE, Lease, Phase, Pool, Table};
use crate::name;
use crate::node::Node;
use crate::plugin::{Plugin, now};
use crate::protocol::{Attachment, Code, Error, PodName, PodNetwork};
use crate::wiring::{self, Wiring};

/// What to connect, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Add<'a> {
    /// The network on this host.
    pub(crate) plugin: &'a Plugin<'a>,
    /// The container's interface.
    pub(crate) attachment: &'a Attachment,
    /// Whose it is.
    pub(crate) pod: &'a PodName,
    /// The container's network namespace.
    pub(crate) namespace: &'a NetNs,
    /// The node.
    pub(crate) node: &'a Node,
}

/// Opens the container's namespace.
///
/// # Errors
/// When the path leads to none, or to the plugin's own, unless that is wanted.
pub(crate) fn open_namespace(path: &Path, may_be_own: bool) -> Result<NetNs, Error> {
    let wrong = |details: String| {
        Error::new(Code::Environment, "invalid network namespace").details(details)
    };
    let namespace = NetNs::open(path).map_err(|error| wrong(error.to_string()))?;
    if !may_be_own && namespace.identity() == NetNs::current()?.identity() {
        let details = format!("{} is the host's own, which must not be changed", path.display());
        return Err(wrong(details));
    }
    Ok(namespace)
}

impl Add<'_> {
    /// Connects the container and returns the result.
    ///
    /// # Errors
    /// When anything refuses; then nothing is left behind.
    pub(crate) async fn run(&self) -> Result<Value, Error> {
        self.plugin.datapath.require()?;
        let inside = Netlink::within(self.namespace)?;
        self.refuse_foreign_interface(&inside).await?;
        let lease = self.reserve().await?;
        match self.connect(&inside, &lease).await {
            Ok(network) => network.to_json(self.plugin.config),
            Err(error) => Err(self.roll_back(&lease, error).await),
        }
    }

    async fn connect(&self, inside: &Netlink, lease: &Lease) -> Result<PodNetwork, Error> {
        let network = self.network(lease);
        self.clear_leftover(&network.host_name).await?;
        let alias = name::alias(&self.plugin.config.name, self.pod, self.attachment);
        let wiring = Wiring {
            network: &network,
            alias: &alias,
            node_ips: &self.node.node_ips,
            host: &self.plugin.host,
            pod: inside,
            namespace: self.namespace,
        };
        let host_link = wiring.build().await?;
        self.plugin.datapath.attach(&host_link, self.node.attach.into())?;
        let pod = Pod {
            ifindex: host_link.index,
            mtu: network.mtu,
            pod_mac: network.pod_mac.0,
            host_mac: network.host_mac.0,
            flags: PodFlags::default(),
            netns: host_link.netns.map_or_else(NetnsId::default, NetnsId::of),
        };
        self.plugin.datapath.register(&lease.ips, pod)?;
        self.mark_ready(lease).await?;
        Ok(network)
    }

    fn network(&self, lease: &Lease) -> PodNetwork {
        PodNetwork {
            host_name: name::host_link(self.attachment),
            host_mac: name::host_mac(self.attachment),
            pod_name: self.attachment.ifname.clone(),
            pod_mac: name::pod_mac(self.attachment),
            sandbox: self.namespace.path().to_owned(),
            mtu: self.node.mtu,
            addresses: lease.ips.iter().copied().map(wiring::pod_address).collect(),
        }
    }

    /// An interface of the same name that is not left from an ADD of ours belongs to somebody.
    async fn refuse_foreign_interface(&self, inside: &Netlink) -> Result<(), Error> {
        let found = link::find(inside, &self.attachment.ifname).await?;
        let ours = Some(name::pod_mac(self.attachment));
        match found {
            Some(found) if found.mac != ours => Err(Error::new(
                Code::Occupied,
                format!("interface {} already exists in {}", found.name, self.namespace),
            )),
            _ => Ok(()),
        }
    }

    /// Deletes what an earlier ADD of the same attachment left under the link's name.
    async fn clear_leftover(&self, host_name: &str) -> Result<(), Error> {
        let Some(found) = link::find(&self.plugin.host, host_name).await? else { return Ok(()) };
        if !self.plugin.is_of(&found, self.attachment) {
            let alias = found.alias.unwrap_or_default();
            return Err(Error::new(
                Code::Occupied,
                format!("link {host_name} already exists on the host and is not of this pod"),
            )
            .details(format!("its alias is {alias:?}; remove or rename it")));
        }
        let ips = self.plugin.ips_behind(&found).await?;
        self.plugin.disconnect(host_name, &ips).await
    }

    async fn reserve(&self) -> Result<Lease, Error> {
        let locked = self.plugin.store.lock(LOCK_DEADLINE)?;
        let mut table = self.plugin.table(&locked).await?;
        let earlier = table.leases.get(self.attachment).cloned();
        let ips = match earlier {
            Some(earlier) => {
                self.refuse_living(&earlier).await?;
                earlier.ips
            }
            None => self.allocate(&mut table).await?,
        };
        let lease = Lease {
            ips,
            phase: Phase::Reserved,
            created: now(),
            namespace: Some(self.namespace.identity()),
            path: self.namespace.path().display().to_string(),
            pod: self.pod.clone(),
        };
        table.leases.insert(self.attachment.clone(), lease.clone());
        locked.write(&table)?;
        Ok(lease)
    }

    /// The same attachment in another namespace, and alive there, is somebody's mistake.
    async fn refuse_living(&self, earlier: &Lease) -> Result<(), Error> {
        let is_same = earlier.namespace.is_none_or(|id| id == self.namespace.identity());
        if is_same || NetNs::open(Path::new(&earlier.path)).is_err() {
            return Ok(());
        }
        let host_name = name::host_link(self.attachment);
        if link::find(&self.plugin.host, &host_name).await?.is_none() {
            return Ok(());
        }
        let Attachment { container, ifname } = self.attachment;
        let message = format!("container {container} already has {ifname} in {}", earlier.path);
        Err(Error::new(Code::Occupied, message).details("delete it there first"))
    }

    async fn allocate(&self, table: &mut Table) -> Result<Vec<std::net::IpAddr>, Error> {
        let ranges = self.node.usable_ranges(sysctl::has_ipv6())?;
        let pool = Pool::new(ranges, self.node.node_ips.clone());
        match pool.allocate(table, now()) {
            Ok(ips) => Ok(ips),
            Err(_) => {
                self.plugin.reap(table).await?;
                pool.allocate(table, now()).map_err(|exhausted| {
                    let (leased, resting) = (table.leases.len(), table.cooling.len());
                    Error::new(Code::Exhausted, exhausted.to_string())
                        .details(format!("{leased} pods have addresses, {resting} addresses rest"))
                })
            }
        }
    }

    async fn mark_ready(&self, lease: &Lease) -> Result<(), Error> {
        let locked = self.plugin.store.lock(LOCK_DEADLINE)?;
        let mut table = self.plugin.table(&locked).await?;
        if !table.mark_ready(self.attachment, &lease.ips) {
            let container = &self.attachment.container;
            let message = format!("the addresses of {container} were released while it was added");
            return Err(Error::new(Code::TryAgain, message)
                .details("the runtime has deleted it meanwhile: add it again if it shall live"));
        }
        Ok(locked.write(&table)?)
    }

    async fn roll_back(&self, lease: &Lease, error: Error) -> Error {
        let host_name = name::host_link(self.attachment);
        let undone = match self.undo(&host_name, lease, &error).await {
            Ok(()) => return error,
            Err(undone) => undone,
        };
        let details = format!("{} (and could not be undone: {undone})", error.details);
        error.details(details.trim_start())
    }

    async fn undo(&self, host_name: &str, lease: &Lease, error: &Error) -> Result<(), Error> {
        // A link that was in the way is not ours to delete.
        if error.code != Code::Occupied {
            self.plugin.disconnect(host_name, &lease.ips).await?;
        }
        let locked = self.plugin.store.lock(LOCK_DEADLINE)?;
        let mut table = self.plugin.table(&locked).await?;
        // Another ADD may have leased others since this one's were released.
        if table.leases.get(self.attachment).is_some_and(|held| held.is_of(&lease.ips)) {
            table.release(self.attachment, now());
        }
        Ok(locked.write(&table)?)
    }
}
