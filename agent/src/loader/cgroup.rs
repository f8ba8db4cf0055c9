//! The programs at the cgroup of the node's processes, and whether they see what they must.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};
use dataplane_common::abi::{
    Addr, Node, Port, Proto, Refusal, SocketDirection, SocketEntry, SocketKey, names,
};
use hostnet::cgroup::{self, Cgroup, Trial};
use hostnet::sockets::Sockets;
use hostnet::{Pins, netns};
use rustix::net::sockopt::socket_cookie;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::LoadError;

/// What stand for frontends while programs are tried: an address that nobody can have (RFC 7600).
/// One program may be attached already, and one is tried; another one would be a third.
const TRIED: [(Ipv4Addr, u16); 3] = {
    const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
    [(NOBODY, 7), (NOBODY, 8), (NOBODY, 9)]
};

/// The program that is tried.
const TRIAL: &str = "getpeername4";

/// Why sockets keep their backend.
pub(crate) const NO_END: &str =
    "this kernel has no CONFIG_INET_DIAG_DESTROY or CONFIG_INET_UDP_DIAG";

/// A file of every cgroup but the hierarchy's root.
const NOT_IN_ROOT: &str = "cgroup.events";

/// How processes of this node are clients of Services.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostClients {
    /// The cgroup that they are below; none where no hierarchy is mounted, and then none are.
    pub cgroup: Option<String>,
    /// Whether that is the root of the machine's hierarchy, so that no process can be elsewhere. The
    /// root of a container's own view of it is not.
    pub has_all: bool,
    /// Whether the kernel tells which network namespace is the node's (Linux 5.14); where it does
    /// not, the initial one is meant.
    pub knows_namespace: bool,
    /// Whether calls that are refused fail at once, or go to a closed port.
    pub refuses_at_once: bool,
    /// Whether the kernel lets connected UDP sockets be ended whose backend is gone.
    pub ends_sockets: bool,
}

/// How this kernel's programs can refuse a call.
#[must_use]
pub fn refusal() -> Refusal {
    // A kernel that cannot be asked is taken for an old one.
    match is_helper_supported(ProgramType::CgroupSockAddr, BpfHelper::BPF_FUNC_set_retval) {
        Ok(true) => Refusal::Error,
        Ok(false) | Err(_) => Refusal::ClosedPort,
    }
}

/// Whether sockets whose backend is gone can be ended; told in the log where they cannot.
fn ends_sockets() -> bool {
    let can = Sockets::here().is_ok_and(|sockets| sockets.can_destroy());
    if !can {
        warn!("connected UDP sockets keep backends that are gone: {NO_END}");
    }
    can
}

/// Makes processes below a cgroup clients of Services, if this one is below it.
///
/// # Errors
/// When the kernel refuses, or this process is not below the cgroup: what was attached before stays
/// as it was.
pub fn attach_clients(pins: &Pins, root: Option<&Path>) -> Result<HostClients, LoadError> {
    let cookie = netns::cookie()?;
    let refuses_at_once = refusal() == Refusal::Error;
    let knows_namespace = cookie.is_some();
    let ends_sockets = ends_sockets();
    let Some(root) = root else {
        let (cgroup, has_all) = (None, false);
        return Ok(HostClients { cgroup, has_all, knows_namespace, refuses_at_once, ends_sockets });
    };
    let folder = Cgroup::open(root)?;
    let before = tell_namespace(pins, cookie.unwrap_or_default())?;
    let is_seen = try_out(&folder, pins);
    if !matches!(is_seen, Ok(true)) {
        tell_namespace(pins, before)?;
    }
    if !is_seen? {
        return Err(LoadError::CgroupUnseen { root: root.into(), own: own_cgroup() });
    }
    let attached = cgroup::attach_pinned(&folder, pins)?;
    let cgroup = root.display().to_string();
    let has_all = !root.join(NOT_IN_ROOT).exists();
    info!(cgroup, has_all, attached, "processes of this node are clients of Services");
    Ok(HostClients {
        cgroup: Some(cgroup),
        has_all,
        knows_namespace,
        refuses_at_once,
        ends_sockets,
    })
}

/// Which network namespace is the node's must be known before its processes are told apart; all
/// else that `node` holds can wait. Returns which one was known.
fn tell_namespace(pins: &Pins, netns_cookie: u64) -> Result<u64, LoadError> {
    let path = pins.map(names::NODE);
    let failed = |cause| LoadError::Map { path: path.clone(), cause };
    let data = MapData::from_pin(&path).map_err(failed)?;
    let mut node: Array<_, Node> = Array::try_from(Map::Array(data)).map_err(failed)?;
    let known = node.get(&0, 0).map_err(failed)?;
    if known.netns_cookie != netns_cookie {
        node.set(0, Node { netns_cookie, ..known }, 0).map_err(failed)?;
    }
    Ok(known.netns_cookie)
}

/// Whether programs at a cgroup see this process: one more does than before.
fn try_out(folder: &Cgroup, pins: &Pins) -> Result<bool, LoadError> {
    let before = seeing(pins)?;
    let _trial = Trial::begin(TRIAL, folder, pins)?;
    Ok(seeing(pins)? > before)
}

/// How many programs see this process: a socket's peer is written down to be another one, that one
/// to be a third, and so on; each program goes one step further.
fn seeing(pins: &Pins) -> Result<Option<usize>, LoadError> {
    let path = pins.map(names::SOCKETS);
    let failed = |cause| LoadError::Map { path: path.clone(), cause };
    let data = MapData::from_pin(&path).map_err(failed)?;
    let map = Map::LruHashMap(data);
    let mut sockets: HashMap<_, SocketKey, SocketEntry> = map.try_into().map_err(failed)?;
    let (socket, key) = connected().map_err(|cause| LoadError::Trial { cause })?;
    let steps = TRIED.map(|(ip, port)| (Addr::from(ip), Port::new(port)));
    let keys = steps.map(|(addr, port)| SocketKey { addr, port, ..key });
    for (key, (addr, port)) in std::iter::once(&key).chain(&keys).zip(steps) {
        let entry = SocketEntry { addr, port, ..SocketEntry::default() };
        sockets.insert(key, entry, 0).map_err(failed)?;
    }
    let peer = socket.peer_addr().map_err(|cause| LoadError::Trial { cause });
    for key in std::iter::once(&key).chain(&keys) {
        let _evicted_already = sockets.remove(key);
    }
    let peer = peer?;
    Ok(TRIED.iter().position(|tried| peer == SocketAddr::from(*tried)))
}

/// A socket that is its own peer, and by what the programs know the two.
fn connected() -> io::Result<(UdpSocket, SocketKey)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = socket.local_addr()?;
    socket.connect(own)?;
    let key = SocketKey {
        cookie: socket_cookie(&socket)?,
        addr: Addr::from(own.ip()),
        port: Port::new(own.port()),
        proto: Proto::UDP,
        direction: SocketDirection::Reverse.number(),
        reserved: [0; 4],
    };
    Ok((socket, key))
}

/// The cgroup of this process, for people.
fn own_cgroup() -> String {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = text.lines().find_map(|line| line.strip_prefix("0::"));
    own.unwrap_or("an unknown one").to_owned()
}
