//! ADD: reserve, build, attach, tell.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use dataplane_common::abi::{NetnsId, Pod, PodFlags};
use hostnet::route::{Routes, Way};
use hostnet::{NetNs, Netlink, addr, link, sysctl};
use serde_json::Value;

use crate::del;
use crate::host_ports;
use crate::ipam::{LOCK_DEADLINE, Lease, Phase, Pool, RangeSet, Refusal, Sight, Table};
use crate::name;
use crate::node::Node;
use crate::plugin::{Plugin, now};
use crate::protocol::{Attachment, Code, Error, PodName, PodNetwork, Wishes};
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
    /// What is asked for.
    pub(crate) wishes: &'a Wishes,
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
        let sets = self.range_sets()?;
        self.give_back_others().await?;
        let lease = self.reserve(sets).await?;
        match self.connect(&inside, &lease).await {
            Ok(network) => network.to_json(self.plugin.config),
            Err(error) => Err(self.roll_back(&lease, error).await),
        }
    }

    async fn connect(&self, inside: &Netlink, lease: &Lease) -> Result<PodNetwork, Error> {
        self.clear_leftover(&name::host_link(self.attachment)).await?;
        let network = self.network(lease, &Routes::read(inside).await?.ways);
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
        let pod = Pod {
            ifindex: host_link.index,
            mtu: network.mtu,
            pod_mac: network.pod_mac.0,
            host_mac: network.host_mac.0,
            flags: PodFlags::default(),
            netns: host_link.netns.map_or_else(NetnsId::default, NetnsId::of),
        };
        self.plugin.datapath.guard(host_link.index, !self.wishes.unguarded)?;
        self.plugin.datapath.attach(&host_link, self.node.attach.into())?;
        // The agent attaches programs to the links of pods that are known and have none.
        self.plugin.datapath.register(&lease.ips, pod)?;
        let ports = host_ports::wanted(&self.wishes.ports, &lease.ips, host_link.index)?;
        host_ports::publish(self.plugin, &ports).await?;
        self.mark_ready(lease).await?;
        Ok(network)
    }

    fn network(&self, lease: &Lease, existing: &[Way]) -> PodNetwork {
        PodNetwork {
            host_name: name::host_link(self.attachment),
            host_mac: name::host_mac(self.attachment),
            pod_name: self.attachment.ifname.clone(),
            pod_mac: self.wishes.mac.unwrap_or_else(|| name::pod_mac(self.attachment)),
            sandbox: self.namespace.path().to_owned(),
            mtu: self.node.mtu,
            addresses: wiring::pod_addresses(&lease.ips, existing),
        }
    }

    /// An interface of the same name that is not the other end of this attachment's link belongs to
    /// somebody.
    async fn refuse_foreign_interface(&self, inside: &Netlink) -> Result<(), Error> {
        let Some(found) = link::find(inside, &self.attachment.ifname).await? else { return Ok(()) };
        let host_name = name::host_link(self.attachment);
        let host_link = link::find(&self.plugin.host, &host_name).await?;
        let ours = host_link.filter(|link| self.plugin.is_of(link, self.attachment));
        if ours.is_some_and(|ours| ours.peer == Some(found.index)) {
            return Ok(());
        }
        let message = format!("interface {} already exists in {}", found.name, self.namespace);
        Err(Error::new(Code::Occupied, message))
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

    async fn reserve(&self, sets: Vec<RangeSet>) -> Result<Lease, Error> {
        let others = self.addresses_of_host().await?;
        let locked = self.plugin.store.lock(LOCK_DEADLINE)?;
        let pool = Pool::new(sets, &others | &locked.leased_elsewhere(&self.plugin.boot_id)?);
        let mut table = self.plugin.table(&locked).await?;
        let earlier = table.leases.get(self.attachment).cloned();
        let ips = match earlier {
            Some(earlier) => {
                self.refuse_living(&earlier).await?;
                earlier.ips
            }
            None => self.allocate(&pool, &mut table).await?,
        };
        let lease = Lease {
            ips,
            phase: Phase::Reserved,
            created: now(),
            namespace: Sight::of(self.namespace),
            path: self.namespace.path().display().to_string(),
            pod: self.pod.clone(),
        };
        table.leases.insert(self.attachment.clone(), lease.clone());
        locked.write(&table)?;
        Ok(lease)
    }

    /// Addresses of an earlier ADD that are not those that are asked for go as by DEL: released only
    /// after nobody has them.
    async fn give_back_others(&self) -> Result<(), Error> {
        let table = self.plugin.store.read(&self.plugin.boot_id)?.unwrap_or_default();
        let Some(earlier) = table.leases.get(self.attachment) else { return Ok(()) };
        if self.wishes.ips.iter().all(|ip| earlier.ips.contains(ip)) {
            return Ok(());
        }
        self.refuse_living(earlier).await?;
        del::run(self.plugin, self.attachment).await
    }

    /// The same attachment in another namespace, and alive there, is somebody's mistake.
    async fn refuse_living(&self, earlier: &Lease) -> Result<(), Error> {
        let is_same = earlier.namespace.is_none_or(|it| it.namespace == self.namespace.identity());
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

    /// What the pod's addresses come from.
    fn range_sets(&self) -> Result<Vec<RangeSet>, Error> {
        let has_ipv6 = sysctl::has_ipv6();
        let Some(ranges) = &self.wishes.ranges else {
            return Ok(RangeSet::of_pod_cidrs(&self.node.usable_ranges(has_ipv6)?));
        };
        let wrong = |details: String| {
            Error::new(Code::Config, "invalid runtimeConfig.ipRanges").details(details)
        };
        let mut sets = RangeSet::parse(ranges).map_err(|error| wrong(error.to_string()))?;
        sets.retain(|set| has_ipv6 || !set.is_ipv6());
        if sets.is_empty() {
            return Err(wrong("they are of IPv6 alone, and the host has no IPv6".into()));
        }
        Ok(sets)
    }

    /// The node's own addresses and all that its devices have: another program may have put one of
    /// the range on a device.
    async fn addresses_of_host(&self) -> Result<BTreeSet<IpAddr>, Error> {
        let on_devices = addr::list(&self.plugin.host).await?.into_iter();
        let on_devices = on_devices.map(|address| address.network.ip());
        Ok(on_devices.chain(self.node.node_ips.iter().copied()).collect())
    }

    async fn allocate(&self, pool: &Pool, table: &mut Table) -> Result<Vec<IpAddr>, Error> {
        let allocate = |table: &mut Table| pool.allocate(table, &self.wishes.ips, now());
        if let Ok(ips) = allocate(table) {
            return Ok(ips);
        }
        self.plugin.reap(table).await?;
        allocate(table).map_err(|refusal| {
            let (leased, resting) = (table.leases.len(), table.cooling.len());
            let code = match refusal {
                Refusal::Exhausted(_) | Refusal::Taken(..) => Code::Exhausted,
                Refusal::Outside(_) => Code::Config,
            };
            Error::new(code, refusal.to_string())
                .details(format!("{leased} pods have addresses, {resting} addresses rest"))
        })
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
