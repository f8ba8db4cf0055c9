//! The addresses of pods that died without DEL: the CNI plugin's GC is called once in a while for
//! each network of this node that has leases. Without a list of containers it releases what the
//! kernel proves dead, and nothing else.
//!
//! Nobody waits for it: each look starts a call, sees how the one before came out, or ends it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionbio;
use serde_json::{Value, json};
use tracing::info;

use crate::cli::Places;
use crate::problem::Problem;

/// Longest that a call may take: the plugin gives up waiting for its lock after ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most that is read of what a call says; a pipe holds no more.
const ANSWER: u64 = 1 << 16;

/// What gives addresses back.
pub struct Reclaim {
    plugin: PathBuf,
    places: Places,
    period: Duration,
    patience: Duration,
    due: Instant,
    waiting: VecDeque<String>,
    call: Option<Call>,
    /// What is wrong, by network; by no name, with the plugin.
    problems: BTreeMap<String, Problem>,
}

/// A call of the plugin.
struct Call {
    network: String,
    child: Child,
    began: Instant,
    is_late: bool,
}

impl Reclaim {
    /// By the plugin at a path, each `period`, for the first time at once.
    #[must_use]
    pub fn new(plugin: &Path, places: &Places, period: Duration) -> Self {
        Self {
            plugin: plugin.to_owned(),
            places: places.clone(),
            period,
            patience: PATIENCE,
            due: Instant::now(),
            waiting: VecDeque::new(),
            call: None,
            problems: BTreeMap::new(),
        }
    }

    /// What is wrong.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values()
    }

    /// Does what is to be done by now, without waiting for anything; says whether the problems are
    /// others than before.
    pub fn look(&mut self, now: Instant) -> bool {
        let before = self.problems.clone();
        if self.is_free(now) {
            if self.waiting.is_empty() && now >= self.due {
                self.due = now + self.period;
                self.plan();
            }
            if let Some(network) = self.waiting.pop_front() {
                self.begin(network, now);
            }
        }
        self.problems != before
    }

    /// Which networks have leases. Without any nobody misses the plugin.
    fn plan(&mut self) {
        self.waiting = networks(&self.places.run_dir).into();
        let waiting = &self.waiting;
        self.problems.retain(|network, _| waiting.contains(network));
        if !self.waiting.is_empty() && !self.plugin.exists() {
            self.waiting.clear();
            let message = "is not there: addresses of pods that die without DEL rest until a range \
                           is used up; say where it is with cniPlugin of --config";
            let absent = Problem::note(self.object(), message);
            self.problems = [(String::new(), absent)].into();
        }
    }

    fn begin(&mut self, network: String, now: Instant) {
        match self.start(&network) {
            Ok(child) => self.call = Some(Call { network, child, began: now, is_late: false }),
            Err(error) => self.fail(network, &format!("cannot be started: {error}")),
        }
    }

    fn start(&self, network: &str) -> io::Result<Child> {
        let folder = self.plugin.parent().unwrap_or(Path::new("/"));
        let mut child = Command::new(&self.plugin)
            .env_clear()
            .envs([("CNI_COMMAND", "GC".as_ref()), ("CNI_PATH", folder.as_os_str())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A call that does not read it says why.
            let _: io::Result<()> = input.write_all(self.configuration(network).as_bytes());
        }
        Ok(child)
    }

    /// The network's, without a line in its log: what is released is in ours.
    fn configuration(&self, network: &str) -> String {
        let Places { bpf_root, run_dir } = &self.places;
        json!({
            "cniVersion": "1.1.0",
            "name": network,
            "runDir": run_dir,
            "bpfRoot": bpf_root,
            "logFile": "",
        })
        .to_string()
    }

    /// Whether no call is at work any more.
    fn is_free(&mut self, now: Instant) -> bool {
        let Some(mut call) = self.call.take() else { return true };
        match call.child.try_wait() {
            Ok(Some(status)) => self.end(call, status),
            Ok(None) if call.is_late || now - call.began < self.patience => {
                self.call = Some(call);
                return false;
            }
            Ok(None) => {
                // Should even that not end it, it is not started again.
                let _: io::Result<()> = call.child.kill();
                let seconds = self.patience.as_secs();
                self.fail(call.network.clone(), &format!("hangs since {seconds} s and was ended"));
                self.call = Some(Call { is_late: true, ..call });
                return false;
            }
            Err(error) => self.fail(call.network, &format!("cannot be waited for: {error}")),
        }
        true
    }

    fn end(&mut self, mut call: Call, status: ExitStatus) {
        if call.is_late {
            return;
        }
        let (answer, words) = (said(call.child.stdout.as_mut()), said(call.child.stderr.as_mut()));
        words.lines().for_each(|line| info!(network = call.network, "{line}"));
        if status.success() {
            self.problems.remove(&call.network);
        } else {
            self.fail(call.network, &failure(&answer, status));
        }
    }

    fn fail(&mut self, network: String, cause: &str) {
        let message = format!(
            "does not give back addresses of network {network}: {cause}; it is tried again, and \
             when a range is used up"
        );
        self.problems.insert(network, Problem::error(self.object(), message));
    }

    fn object(&self) -> String {
        format!("CNI plugin {}", self.plugin.display())
    }
}

/// The networks that have a table of leases.
fn networks(run_dir: &Path) -> Vec<String> {
    let Ok(entries) = run_dir.join("ipam").read_dir() else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        Some(name.to_str()?.strip_suffix(".table")?.to_owned())
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// What is in a pipe by now: a process that inherited its other end must keep nobody waiting.
fn said(pipe: Option<&mut (impl io::Read + std::os::fd::AsFd)>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe.filter(|pipe| ioctl_fionbio(pipe, true).is_ok()) {
        // What came before the end is there in any case.
        let _: io::Result<usize> = pipe.take(ANSWER).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a call failed: the protocol's words, else how it ended.
fn failure(answer: &str, status: ExitStatus) -> String {
    let error: Value = serde_json::from_str(answer).unwrap_or_default();
    let text = |key: &str| error[key].as_str().filter(|text| !text.is_empty());
    match (text("msg"), text("details")) {
        (Some(message), Some(details)) => format!("{message}: {details}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => format!("it ended with {status} and without a word"),
    }
}

#[cfg(test)]
mod tests;
