//! The table of leases and its text.
//!
//! ```text
//! waggle-ipam 1 9a3f0c52d1e7b684          version, checksum of all that follows
//! boot 0ae5…                              a lease of another boot is void
//! last 10.1.1.7                           where the round robin stands, by set of ranges
//! lease <container> <ifname> 10.1.1.7,fd01::7 ready 812 4:4026532:4:4026531 <netns path> <namespace> <pod>
//! cooling 10.1.1.5 790                    released at that millisecond after boot
//! ```
//! Fields are separated by tabs; one that is empty is `-`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::sight::Sight;
use crate::name::fnv;
use crate::protocol::{Attachment, PodName};

const MAGIC: &str = "waggle-ipam";
const VERSION: &str = "1";
const EMPTY: &str = "-";

/// Milliseconds after which an ADD that made no link is not at work any more: runtimes kill it
/// earlier.
pub(crate) const ABANDONED: u64 = 600_000;

/// Who has which address, and which ones rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The boot the table is of.
    pub(crate) boot_id: String,
    /// The address given last of each set of ranges.
    pub(crate) last: BTreeSet<IpAddr>,
    /// Leases by attachment.
    pub(crate) leases: BTreeMap<Attachment, Lease>,
    /// Released addresses, and when that was, in milliseconds after boot.
    pub(crate) cooling: BTreeMap<IpAddr, u64>,
}

/// The addresses of one attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// One of each set of ranges.
    pub(crate) ips: Vec<IpAddr>,
    /// How far ADD came.
    pub(crate) phase: Phase,
    /// When it was made, in milliseconds after boot.
    pub(crate) created: u64,
    /// The pod's network namespace; none where the lease was rebuilt from the kernel's state.
    pub(crate) namespace: Option<Sight>,
    /// The path of the namespace.
    pub(crate) path: String,
    /// Whose it is.
    pub(crate) pod: PodName,
}

/// How far ADD came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// The addresses are taken, the link may be missing.
    Reserved,
    /// The pod is connected: without its link, it is gone.
    Ready,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Ready => "ready",
        }
    }
}

impl Table {
    /// An empty table of a boot.
    #[must_use]
    pub(crate) fn new(boot_id: &str) -> Self {
        Self { boot_id: boot_id.to_owned(), ..Self::default() }
    }

    /// The table as text.
    #[must_use]
    pub(crate) fn to_text(&self) -> String {
        let Self { boot_id, last, leases, cooling } = self;
        let mut body = line(&["boot", boot_id]);
        last.iter().for_each(|ip| body += &line(&["last", &ip.to_string()]));
        leases.iter().for_each(|(attachment, lease)| body += &lease.to_line(attachment));
        for (ip, since) in cooling {
            body += &line(&["cooling", &ip.to_string(), &since.to_string()]);
        }
        let sum = format!("{:016x}", fnv(body.as_bytes()));
        line(&[MAGIC, VERSION, &sum]) + &body
    }

    /// The table of a text; none, when a single bit of it is not as it was written.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (header, body) = text.split_once('\n')?;
        let sum = format!("{:016x}", fnv(body.as_bytes()));
        if header != [MAGIC, VERSION, &sum].join("\t") {
            return None;
        }
        let mut table = Self::default();
        body.lines().try_for_each(|line| table.take(&fields(line)))?;
        Some(table)
    }

    /// Ends a lease: its addresses rest from this second on.
    pub(crate) fn release(&mut self, attachment: &Attachment, now: u64) -> Option<Lease> {
        let lease = self.leases.remove(attachment)?;
        self.cooling.extend(lease.ips.iter().map(|ip| (*ip, now)));
        Some(lease)
    }

    /// Notes that the pod of a lease is connected; says no when it has no lease of these addresses.
    #[must_use]
    pub(crate) fn mark_ready(&mut self, attachment: &Attachment, ips: &[IpAddr]) -> bool {
        let held = self.leases.get_mut(attachment).filter(|lease| lease.is_of(ips));
        held.map(|lease| lease.phase = Phase::Ready).is_some()
    }

    fn take(&mut self, fields: &[String]) -> Option<()> {
        match fields.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["boot", id] => self.boot_id = (*id).to_owned(),
            ["last", ip] => {
                self.last.insert(ip.parse().ok()?);
            }
            ["cooling", ip, since] => {
                self.cooling.insert(ip.parse().ok()?, since.parse().ok()?);
            }
            ["lease", container, ifname, rest @ ..] => {
                let (container, ifname) = ((*container).to_owned(), (*ifname).to_owned());
                self.leases.insert(Attachment { container, ifname }, Lease::parse(rest)?);
            }
            _ => return None,
        }
        Some(())
    }
}

impl Lease {
    /// Whether it is of these addresses, in any order.
    #[must_use]
    pub(crate) fn is_of(&self, ips: &[IpAddr]) -> bool {
        self.ips.len() == ips.len() && ips.iter().all(|ip| self.ips.contains(ip))
    }

    /// Whether nobody can use the addresses any more. A link lives exactly as long as its pod's
    /// namespace; before there is one, the namespace itself and the time must tell.
    #[must_use]
    pub(crate) fn is_dead(&self, has_link: bool, has_namespace: bool, now: u64) -> bool {
        let is_abandoned = now.saturating_sub(self.created) >= ABANDONED;
        !has_link && (self.phase == Phase::Ready || !has_namespace || is_abandoned)
    }

    fn to_line(&self, attachment: &Attachment) -> String {
        let Attachment { container, ifname } = attachment;
        let Self { ips, phase, created, namespace, path, pod } = self;
        let ips: Vec<_> = ips.iter().map(IpAddr::to_string).collect();
        let namespace = namespace.map(Sight::to_text);
        line(&[
            "lease",
            container,
            ifname,
            &ips.join(","),
            phase.as_str(),
            &created.to_string(),
            &namespace.unwrap_or_default(),
            path,
            &pod.namespace,
            &pod.name,
        ])
    }

    fn parse(fields: &[&str]) -> Option<Self> {
        let [ips, phase, created, namespace, path, pod_namespace, pod_name] = fields else {
            return None;
        };
        Some(Self {
            ips: ips.split(',').map(|ip| ip.parse().ok()).collect::<Option<_>>()?,
            phase: [Phase::Reserved, Phase::Ready]
                .into_iter()
                .find(|each| each.as_str() == *phase)?,
            created: created.parse().ok()?,
            namespace: parse_namespace(namespace)?,
            path: (*path).to_owned(),
            pod: PodName { namespace: (*pod_namespace).to_owned(), name: (*pod_name).to_owned() },
        })
    }
}

fn parse_namespace(text: &str) -> Option<Option<Sight>> {
    if text.is_empty() { Some(None) } else { Sight::parse(text).map(Some) }
}

fn line(fields: &[&str]) -> String {
    let escaped: Vec<_> = fields.iter().map(|field| escape(field)).collect();
    escaped.join("\t") + "\n"
}

fn fields(line: &str) -> Vec<String> {
    line.split('\t').map(unescape).collect()
}

/// Paths may hold anything: what would end a field or a line is written as its number.
fn escape(field: &str) -> String {
    if field.is_empty() {
        return EMPTY.to_owned();
    }
    if field == EMPTY {
        return "%2d".to_owned();
    }
    field.replace('%', "%25").replace('\t', "%09").replace('\n', "%0a").replace('\r', "%0d")
}

fn unescape(field: &str) -> String {
    if field == EMPTY {
        return String::new();
    }
    let field = field.replace("%0d", "\r").replace("%0a", "\n").replace("%09", "\t");
    field.replace("%2d", "-").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let attachment =
            |container: &str| Attachment { container: container.into(), ifname: "eth0".into() };
        let ips: Vec<IpAddr> = vec![[10, 1, 1, 2].into(), "fd01::2".parse().unwrap()];
        let lease = Lease {
            ips: ips.clone(),
            phase: Phase::Ready,
            created: 812,
            namespace: Sight::parse("4:4026532:4:4026531"),
            path: "/run/net ns/100%\n\t-".into(),
            pod: PodName { namespace: "shop".into(), name: "web-0".into() },
        };
        let rebuilt = Lease {
            ips: vec![[10, 1, 1, 3].into()],
            phase: Phase::Reserved,
            namespace: None,
            path: String::new(),
            pod: PodName { namespace: "-".into(), name: String::new() },
            ..lease.clone()
        };
        Table {
            boot_id: "b".into(),
            last: [ips[0], ips[1]].into(),
            leases: [(attachment("a"), lease), (attachment("b"), rebuilt)].into(),
            cooling: [([10, 1, 1, 9].into(), 790)].into(),
        }
    }

    #[test]
    fn a_table_survives_its_text() {
        for table in [table(), Table::new("b")] {
            assert_eq!(Table::parse(&table.to_text()), Some(table));
        }
    }

    #[test]
    fn only_a_lease_of_the_same_addresses_becomes_ready() {
        let lost = || Attachment { container: "c".into(), ifname: "eth0".into() };
        let (held, lease) = table().leases.pop_first().unwrap();
        let reversed: Vec<_> = lease.ips.iter().rev().copied().collect();
        for (attachment, ips, expected) in [
            (held.clone(), lease.ips.as_slice(), true),
            (held.clone(), &reversed, true),
            (held.clone(), &lease.ips[..1], false),
            (held.clone(), &[[10, 1, 1, 3].into(), lease.ips[1]], false),
            (lost(), &lease.ips, false),
        ] {
            let mut table = table();
            table.leases.insert(held.clone(), Lease { phase: Phase::Reserved, ..lease.clone() });
            assert_eq!(table.mark_ready(&attachment, ips), expected, "{attachment:?} {ips:?}");
            let phase = if expected { Phase::Ready } else { Phase::Reserved };
            assert_eq!(table.leases[&held].phase, phase, "{attachment:?} {ips:?}");
        }
    }

    #[test]
    fn a_lease_is_dead_when_nobody_can_use_its_addresses() {
        let (_, lease) = table().leases.pop_first().unwrap();
        let soon = lease.created + ABANDONED - 1;
        for (phase, has_link, has_namespace, now, expected) in [
            (Phase::Ready, true, true, soon, false),
            (Phase::Ready, true, false, soon + 1, false),
            (Phase::Ready, false, true, soon, true),
            (Phase::Ready, false, false, soon, true),
            (Phase::Reserved, true, false, soon + 1, false),
            (Phase::Reserved, false, true, soon, false),
            (Phase::Reserved, false, true, soon + 1, true),
            (Phase::Reserved, false, false, 0, true),
        ] {
            let lease = Lease { phase, ..lease.clone() };
            let found = lease.is_dead(has_link, has_namespace, now);
            assert_eq!(found, expected, "{phase:?} {has_link} {has_namespace} {now}");
        }
    }

    #[test]
    fn a_torn_text_is_no_table() {
        let text = table().to_text();
        for length in 0..text.len() {
            assert_eq!(Table::parse(&text[..length]), None, "cut at {length}");
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(Table::parse(&changed), None, "changed at {at}");
        }
    }
}
