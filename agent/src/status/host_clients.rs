//! The part of `waggle status` about processes of the node.

use dataplane_common::abi::names;
use hostnet::Pins;
use hostnet::cgroup::{self, Attachment};
use serde::Serialize;

use crate::loader::{HostClients, NO_END};
use crate::problem::Problem;

/// Processes of this node as clients of Services.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientUse {
    /// What the agent brought up, if it has said.
    #[serde(flatten)]
    pub(super) clients: Option<HostClients>,
    /// How many programs are attached to a cgroup that exists.
    pub(super) attached: usize,
}

impl ClientUse {
    pub(super) fn collect(pins: &Pins, clients: Option<HostClients>) -> hostnet::Result<Self> {
        Ok(Self::of(clients, &cgroup::list(pins)?))
    }

    fn of(clients: Option<HostClients>, attachments: &[Attachment]) -> Self {
        let attached = attachments.iter().filter(|attachment| attachment.cgroup != 0).count();
        Self { clients, attached }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let Some(clients) = &self.clients else { return Vec::new() };
        let mut problems = Vec::new();
        let expected = names::SOCKET_PROGRAMS.len();
        if clients.cgroup.is_none() {
            let message = "do not reach Services: no cgroup v2 hierarchy is mounted; mount one \
                           with `mount -t cgroup2 none /sys/fs/cgroup`, and start the agent again";
            problems.push(Problem::error("processes of this node", message));
        } else if self.attached < expected {
            let message = format!(
                "do not reach Services as they should: {} of {expected} programs are attached to \
                 their cgroup; start `waggle agent` again",
                self.attached
            );
            problems.push(Problem::error("processes of this node", message));
        }
        if !clients.knows_namespace {
            let message = "reach Services from the initial network namespace alone: before Linux \
                           5.14 the kernel does not tell which one this is";
            problems.push(Problem::note("processes of this node", message));
        }
        if !clients.ends_sockets {
            let message = format!(
                "keep the backend of a connected UDP socket when it is gone: {NO_END}; build a kernel \
                 with both"
            );
            problems.push(Problem::note("processes of this node", message));
        }
        problems
    }

    /// In a few words.
    pub(super) fn text(&self) -> String {
        match &self.clients {
            Some(HostClients { cgroup: Some(cgroup), has_all, refuses_at_once, .. }) => {
                let which = if *has_all { "all" } else { "those of this part of the hierarchy" };
                let refusal = if *refuses_at_once { "at once" } else { "by a closed port" };
                format!("{which} below {cgroup}, refused {refusal}")
            }
            Some(HostClients { cgroup: None, .. }) => "none: no cgroup v2 hierarchy".to_owned(),
            None => "-".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(count: usize, cgroup: u64) -> Vec<Attachment> {
        let names = names::SOCKET_PROGRAMS.into_iter().take(count);
        names.map(|name| Attachment { name, program: 1, cgroup }).collect()
    }

    #[test]
    fn processes_that_are_no_clients_are_a_problem() {
        let well = HostClients {
            cgroup: Some("/sys/fs/cgroup".to_owned()),
            has_all: true,
            knows_namespace: true,
            refuses_at_once: true,
            ends_sockets: true,
        };
        for (name, clients, attachments, expected) in [
            ("well", well.clone(), attached(8, 1), vec![]),
            (
                "detached",
                well.clone(),
                attached(7, 1),
                vec!["do not reach Services as they should"],
            ),
            ("cgroup gone", well.clone(), attached(8, 0), vec!["do not reach Services as they"]),
            (
                "no hierarchy",
                HostClients { cgroup: None, ..well.clone() },
                vec![],
                vec!["do not reach Services: no cgroup v2"],
            ),
            (
                "old kernel",
                HostClients { knows_namespace: false, ..well.clone() },
                attached(8, 1),
                vec!["reach Services from the initial network namespace alone"],
            ),
            (
                "sparse kernel",
                HostClients { ends_sockets: false, ..well },
                attached(8, 1),
                vec!["keep the backend of a connected UDP socket"],
            ),
        ] {
            let problems = ClientUse::of(Some(clients), &attachments).problems();
            let begins = |(it, begin): (&Problem, &&str)| it.message.starts_with(*begin);
            let is_same = problems.len() == expected.len();
            assert!(is_same && problems.iter().zip(&expected).all(begins), "{name}: {problems:?}");
        }
    }
}
