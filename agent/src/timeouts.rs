//! How long silent flows last: as the configuration says, else as the kernel's connection tracking
//! has it, else as it is usual.

use std::collections::BTreeMap;
use std::time::Duration;

use dataplane_common::abi::{LIVES, Phase};
use hostnet::{Pins, sysctl};
use tracing::info;

use crate::config::Conntrack;
use crate::maps::{Result, timeouts::TimeoutMap};
use crate::problem::Problem;

/// What keeps the table of timeouts as it should be.
pub struct Timeouts {
    settings: Conntrack,
    map: TimeoutMap,
    problem: Option<Problem>,
}

impl Timeouts {
    /// For the pinned table, whose shape must have been checked.
    ///
    /// # Errors
    /// When it is not pinned or the kernel refuses.
    pub fn open(pins: &Pins, settings: &Conntrack) -> Result<Self> {
        Ok(Self { settings: settings.clone(), map: TimeoutMap::open(pins)?, problem: None })
    }

    /// Writes what is other than it was. The sysctls are those of the calling thread's network
    /// namespace.
    pub fn ensure(&mut self) {
        let of_kernel =
            |name: &str| sysctl::get(&format!("net/netfilter/nf_conntrack_{name}")).ok();
        let seconds: BTreeMap<_, _> =
            Phase::ALL.map(|phase| (phase, seconds(phase, &self.settings, of_kernel))).into();
        let wanted = (0..LIVES).map(|life| seconds.get(&Phase::of(life)).copied().unwrap_or(0));
        self.problem = match self.map.ensure(wanted) {
            Ok(true) => {
                info!(?seconds, "wrote how long flows last");
                None
            }
            Ok(false) => None,
            Err(failure) => {
                let message =
                    format!("does not say how long flows last: {failure}; it is tried again");
                Some(Problem::error("table timeouts", message))
            }
        };
    }

    /// What is wrong with it.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problem.iter()
    }
}

/// Seconds for a phase, where `of_kernel` knows the sysctls of connection tracking.
fn seconds(phase: Phase, settings: &Conntrack, of_kernel: impl Fn(&str) -> Option<String>) -> u32 {
    let (configured, sysctl) = match phase {
        Phase::Udp => (settings.udp_timeout, "udp_timeout"),
        Phase::UdpStream => (settings.udp_stream_timeout, "udp_timeout_stream"),
        Phase::SynSent => (Duration::ZERO, "tcp_timeout_syn_sent"),
        Phase::Established => (settings.tcp_established_timeout, "tcp_timeout_established"),
        Phase::FinWait => (Duration::ZERO, "tcp_timeout_fin_wait"),
        Phase::CloseWait => (settings.tcp_close_wait_timeout, "tcp_timeout_close_wait"),
        Phase::TimeWait => (Duration::ZERO, "tcp_timeout_time_wait"),
        Phase::Close => (Duration::ZERO, "tcp_timeout_close"),
        Phase::SctpHeartbeatSent => (Duration::ZERO, "sctp_timeout_heartbeat_sent"),
        Phase::SctpEstablished => (Duration::ZERO, "sctp_timeout_established"),
        Phase::SctpClosed => (Duration::ZERO, "sctp_timeout_closed"),
    };
    let configured = u32::try_from(configured.as_secs()).unwrap_or(u32::MAX);
    let of_kernel = || of_kernel(sysctl)?.parse().ok().filter(|seconds| *seconds > 0);
    match configured {
        0 => of_kernel().unwrap_or(phase.usual()),
        seconds => seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_counts_then_the_kernel_then_what_is_usual() {
        let usual = Conntrack::default();
        let nothing = Conntrack {
            tcp_established_timeout: Duration::ZERO,
            tcp_close_wait_timeout: Duration::ZERO,
            ..usual.clone()
        };
        let all = Conntrack {
            udp_timeout: Duration::from_millis(10_900),
            udp_stream_timeout: Duration::from_secs(u64::MAX),
            ..usual.clone()
        };
        let linux = [30, 120, 120, 21_600, 120, 3600, 120, 10, 30, 210, 10];
        let of_proxy = [30, 120, 120, 86_400, 120, 3600, 120, 10, 30, 210, 10];
        for (name, settings, of_kernel, expected) in [
            ("usual", &usual, Some("5"), [5, 5, 5, 86_400, 5, 3600, 5, 5, 5, 5, 5]),
            ("no sysctl", &usual, None, of_proxy),
            ("nothing set", &nothing, Some("7"), [7; 11]),
            ("nothing at all", &nothing, None, linux),
            ("zero", &nothing, Some("0"), linux),
            ("no number", &nothing, Some("soon"), linux),
            ("all set", &all, Some("5"), [10, u32::MAX, 5, 86_400, 5, 3600, 5, 5, 5, 5, 5]),
        ] {
            let of_kernel = |_: &str| of_kernel.map(str::to_owned);
            let found = Phase::ALL.map(|phase| seconds(phase, settings, of_kernel));
            assert_eq!(found, expected, "{name}");
        }
    }
}
