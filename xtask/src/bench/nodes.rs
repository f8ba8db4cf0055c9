//! What it takes to know the ways to a thousand nodes, and to follow one of them: seconds, and what
//! is asked of the kernel, which strace counts in a run of its own.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use xtask::{cluster::Agent, topology::Node};

use super::{network, summary::Row, testbed::Folder};
use crate::{
    interrupt::Interrupt,
    progress::say,
    setup::{self, Scope},
    workspace::Artifacts,
};

/// Other nodes.
const NODES: usize = 1000;

const PATIENCE: Duration = Duration::from_secs(120);

/// How other nodes are reached: the name of the mode, and what the kernel must be told of each node,
/// which has a podCIDR of either family.
const MODES: [(&str, usize); 2] = [("host-gw", 2), ("vxlan", 5)];

/// What one run of an agent took.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// From the objects to the last route, in seconds.
    all: f64,
    /// The same of one more node.
    one: f64,
    mebibytes: f64,
}

/// What one run asked of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Requests {
    /// To change something.
    changes: usize,
    /// To list something.
    lists: usize,
}

/// Measures each mode in turn.
pub(super) fn measure(
    runs: usize,
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Vec<Row>> {
    setup::ensure_packages(Scope::Cni)?;
    let mut rows = Vec::new();
    for (mode, each) in MODES {
        let mut of_mode = Vec::new();
        for _ in 0..runs {
            let (run, _) = play(mode, each, false, artifacts, folder, interrupt)?;
            of_mode.push(run);
        }
        let (_, counted) = play(mode, each, true, artifacts, folder, interrupt)?;
        say(&format!("{NODES} nodes by {mode}: {of_mode:?} {counted:?}"));
        rows.extend(rows_of(mode, &of_mode, counted));
    }
    rows.sort_by_key(Row::name);
    Ok(rows)
}

fn rows_of(mode: &'static str, runs: &[Run], [all, one]: [Requests; 2]) -> Vec<Row> {
    let times = |of: fn(&Run) -> f64| runs.iter().map(of).collect::<Vec<_>>();
    let count = |count: usize| vec![f64::from(u32::try_from(count).unwrap_or(u32::MAX))];
    vec![
        Row::of_values(["nodes_1000", mode, "s"], times(|run| run.all)),
        Row::of_values(["nodes_1000_changes", mode, "requests"], count(all.changes)),
        Row::of_values(["nodes_1000_lists", mode, "requests"], count(all.lists)),
        Row::of_values(["nodes_one_more", mode, "s"], times(|run| run.one)),
        Row::of_values(["nodes_one_more_changes", mode, "requests"], count(one.changes)),
        Row::of_values(["nodes_one_more_lists", mode, "requests"], count(one.lists)),
        Row::of_values(["nodes_1000_memory", mode, "MiB"], times(|run| run.mebibytes)),
    ]
}

/// An agent that knows itself, then so many others, then one more.
fn play(
    mode: &str,
    each: usize,
    is_counted: bool,
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<(Run, [Requests; 2])> {
    let network = network("nodes", 1, &folder.0)?;
    let node = network.a();
    // All nodes are on one link, whichever mode is chosen.
    node.netns().ip(&["address add 172.20.0.1/16 dev eth0"])?;
    let own = Folder::fresh(folder.0.join("nodes"))?;
    let (manifests, config) = (own.0.join("manifests"), own.0.join("config.yaml"));
    fs::create_dir(&manifests)?;
    fs::write(&config, format!("mode: {mode}\n"))?;
    write(&manifests, node, 0)?;
    let agent = Agent::start(node, &artifacts.waggle, &manifests, Some(&config))?;
    let known = Known { node, agent: &agent, manifests: &manifests, interrupt };
    let (mut times, mut requests) = ([0.0; 2], [Requests::default(); 2]);
    for (index, count) in [NODES, NODES + 1].into_iter().enumerate() {
        let tracer = is_counted.then(|| Tracer::start(&agent, &own.0)).transpose()?;
        times[index] = known.grow(count, count * each)?;
        requests[index] = tracer.map_or(Ok(Requests::default()), Tracer::end)?;
    }
    let mebibytes = super::resident(agent.pid())? / 1024.0;
    Ok((Run { all: times[0], one: times[1], mebibytes }, requests))
}

/// An agent and what it follows.
struct Known<'a> {
    node: &'a Node,
    agent: &'a Agent<'a>,
    manifests: &'a Path,
    interrupt: &'a Interrupt,
}

impl Known<'_> {
    /// Says that there are so many others, and waits until the agent has told the kernel so much of
    /// them in all; in seconds.
    fn grow(&self, count: usize, steps: usize) -> Result<f64> {
        write(self.manifests, self.node, count)?;
        let start = Instant::now();
        while made(self.agent.log())? < steps {
            self.interrupt.pause(Duration::from_millis(10))?;
            if start.elapsed() > PATIENCE {
                bail!("{count} nodes are not known: {}", self.agent.log_tail());
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

/// What an agent's log says that it made.
fn made(log: &Path) -> Result<usize> {
    let text = fs::read_to_string(log).with_context(|| log.display().to_string())?;
    Ok(text.matches("made item=").count())
}

/// Puts Node objects where the agent looks, all at once: its own and so many others.
fn write(manifests: &Path, node: &Node, count: usize) -> Result<()> {
    let own = object(node.name(), node.addresses().v4, "fd77::11", [244, 1]);
    let others = (0..count).map(|index| {
        let (high, low) = (index / 250, index % 250);
        let ip = Ipv4Addr::new(172, 20, byte(high + 1), byte(low));
        object(&format!("far-{index}"), ip, &format!("fd77::1:{index:x}"), [high + 16, low])
    });
    let text: String = std::iter::once(own).chain(others).collect();
    let (draft, file) = (manifests.join(".draft"), manifests.join("nodes.yaml"));
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, &file))?;
    Ok(())
}

fn object(name: &str, v4: Ipv4Addr, v6: &str, [high, low]: [usize; 2]) -> String {
    format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nspec:\n\
         \x20 podCIDRs: [10.{high}.{low}.0/24, \"fd00:{high:x}:{low:x}::/64\"]\n\
         status:\n\x20 addresses:\n\
         \x20   - {{type: InternalIP, address: {v4}}}\n\
         \x20   - {{type: InternalIP, address: \"{v6}\"}}\n---\n"
    )
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// strace, which writes down what a process asks of the kernel's network.
struct Tracer {
    process: Child,
    log: std::path::PathBuf,
}

impl Tracer {
    fn start(agent: &Agent<'_>, folder: &Path) -> Result<Self> {
        let log = folder.join("requests");
        // What it says when it is at work.
        let said = fs::File::create(folder.join("strace.log"))?;
        let process = Command::new("strace")
            .args(["-f", "-e", "trace=sendto,sendmsg", "-o"])
            .arg(&log)
            .args(["-p", &agent.pid().to_string()])
            .stdin(Stdio::null())
            .stderr(said)
            .spawn()
            .context("starting strace")?;
        let start = Instant::now();
        while !fs::read_to_string(folder.join("strace.log"))?.contains("attached") {
            ensure!(start.elapsed() < PATIENCE, "strace does not attach to the agent");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { process, log })
    }

    /// Lets the process go, and counts.
    fn end(mut self) -> Result<Requests> {
        kill_process(Pid::from_child(&self.process), Signal::INT)?;
        self.process.wait()?;
        Ok(count(&fs::read_to_string(&self.log)?))
    }
}

fn count(log: &str) -> Requests {
    let lines = |kinds: &[&str]| {
        let is_one = |line: &&str| kinds.iter().any(|kind| line.contains(kind));
        log.lines().filter(is_one).count()
    };
    Requests { changes: lines(&["=RTM_NEW", "=RTM_DEL"]), lists: lines(&["=RTM_GET"]) }
}

#[cfg(test)]
mod tests {
    use super::{Requests, count};

    #[test]
    fn requests_are_told_apart_by_what_they_ask() {
        let log = "7 sendto(9, [{nlmsg_len=52, nlmsg_type=RTM_NEWROUTE, x}], 52, 0, NULL, 0) = 52\n\
                   7 sendto(9, [{nlmsg_len=52, nlmsg_type=RTM_DELNEIGH, x}], 52, 0, NULL, 0) = 52\n\
                   7 sendto(9, [{nlmsg_len=40, nlmsg_type=RTM_GETLINK, x}], 40, 0, NULL, 0) = 40\n\
                   7 sendto(4, \"GET /\", 5, MSG_NOSIGNAL, NULL, 0) = 5\n";
        assert_eq!(count(log), Requests { changes: 2, lists: 1 });
    }
}
