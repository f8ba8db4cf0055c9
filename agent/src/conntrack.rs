//! The kernel's connection tracking, set up as kube-proxy sets it up.

use std::collections::BTreeSet;

use hostnet::sysctl;
use tracing::info;

use crate::config::Conntrack;
use crate::loader::online_cpus;
use crate::problem::Problem;

const MAX: &str = "net/netfilter/nf_conntrack_max";
const BUCKETS: &str = "net/netfilter/nf_conntrack_buckets";
/// Writable in the host's own network namespace alone, because the table is one for all.
const SHARED: [&str; 2] = [MAX, BUCKETS];
/// Flows for each bucket.
const DEPTH: u64 = 4;

/// What is still to be written, and what cannot be. The settings are those of the network namespace
/// of the calling thread.
#[derive(Debug)]
pub struct Tracking {
    wanted: Vec<(&'static str, u64)>,
    problems: BTreeSet<Problem>,
}

impl Tracking {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(settings: &Conntrack) -> Self {
        let cpus = online_cpus().map_or(1, |cpus| cpus.len());
        let wanted = wanted(settings, u64::try_from(cpus).unwrap_or(1));
        Self { wanted, problems: BTreeSet::new() }
    }

    /// Writes what was not written before. A sysctl that does not exist, because nothing is tracked
    /// here yet, waits for the next call; one that was written is its administrator's from then on.
    pub fn ensure(&mut self) {
        self.problems.clear();
        let wanted = std::mem::take(&mut self.wanted);
        for (key, value) in wanted {
            match write(key, value) {
                Ok(()) => {}
                Err(error) if error.is_absent() => self.wanted.push((key, value)),
                Err(error) => {
                    self.wanted.push((key, value));
                    self.problems.insert(problem(key, value, &error));
                }
            }
        }
    }

    /// What cannot be written.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }
}

/// The sysctls and their values, in the order of writing.
fn wanted(settings: &Conntrack, cpus: u64) -> Vec<(&'static str, u64)> {
    let Conntrack { max_per_core, min, tcp_be_liberal, .. } = *settings;
    let max = (u64::from(max_per_core) * cpus).max(u64::from(min));
    let max = if max_per_core == 0 { 0 } else { max };
    let values = [
        (MAX, max),
        (BUCKETS, max / DEPTH),
        (
            "net/netfilter/nf_conntrack_tcp_timeout_established",
            settings.tcp_established_timeout.as_secs(),
        ),
        (
            "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
            settings.tcp_close_wait_timeout.as_secs(),
        ),
        ("net/netfilter/nf_conntrack_tcp_be_liberal", u64::from(tcp_be_liberal)),
        ("net/netfilter/nf_conntrack_udp_timeout", settings.udp_timeout.as_secs()),
        ("net/netfilter/nf_conntrack_udp_timeout_stream", settings.udp_stream_timeout.as_secs()),
    ];
    values.into_iter().filter(|(_, value)| *value != 0).collect()
}

/// Buckets are only ever made more. In another namespace than the host's it is enough that there is
/// room for what is wanted.
fn write(key: &'static str, value: u64) -> hostnet::Result<()> {
    let has_room =
        || sysctl::get(key).is_ok_and(|text| text.parse().is_ok_and(|it: u64| it >= value));
    if key == BUCKETS && has_room() {
        return Ok(());
    }
    match sysctl::ensure(key, &value.to_string()) {
        Ok(true) => info!(sysctl = key, value, "set for the kernel's connection tracking"),
        Ok(false) => {}
        Err(error)
            if error.errno() == Some(libc::EACCES) && SHARED.contains(&key) && has_room() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn problem(key: &str, value: u64, error: &hostnet::Error) -> Problem {
    let message = format!(
        "is not set to {value}: {error}; let the agent write it, or set 0 in conntrack of the \
         configuration to leave it alone"
    );
    Problem::note(format!("sysctl {key}"), message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Names without what they have in common.
    fn named(settings: &Conntrack, cpus: u64) -> Vec<(&'static str, u64)> {
        let wanted = wanted(settings, cpus).into_iter();
        wanted.map(|(key, value)| (&key["net/netfilter/nf_conntrack_".len()..], value)).collect()
    }

    #[test]
    fn what_is_zero_is_left_alone_and_the_rest_is_as_kube_proxy_has_it() {
        let usual = Conntrack::default();
        let nothing = Conntrack {
            max_per_core: 0,
            tcp_established_timeout: Duration::ZERO,
            tcp_close_wait_timeout: Duration::ZERO,
            ..usual.clone()
        };
        let timeouts = [("tcp_timeout_established", 86_400), ("tcp_timeout_close_wait", 3_600)];
        let with = |max, buckets| {
            let max = (max > 0).then_some([("max", max), ("buckets", buckets)]);
            max.into_iter().flatten().chain(timeouts).collect::<Vec<_>>()
        };
        let udp = Conntrack {
            tcp_be_liberal: true,
            udp_timeout: Duration::from_secs(10),
            udp_stream_timeout: Duration::from_millis(60_900),
            ..nothing.clone()
        };
        let of_udp = vec![("tcp_be_liberal", 1), ("udp_timeout", 10), ("udp_timeout_stream", 60)];
        for (name, settings, cpus, expected) in [
            ("few CPUs", usual.clone(), 2, with(131_072, 32_768)),
            ("many CPUs", usual.clone(), 8, with(262_144, 65_536)),
            ("no least", Conntrack { min: 0, ..usual.clone() }, 2, with(65_536, 16_384)),
            ("none for a CPU", Conntrack { max_per_core: 0, ..usual }, 2, with(0, 0)),
            ("nothing", nothing, 2, vec![]),
            ("the others", udp, 2, of_udp),
        ] {
            assert_eq!(named(&settings, cpus), expected, "{name}");
        }
    }
}
