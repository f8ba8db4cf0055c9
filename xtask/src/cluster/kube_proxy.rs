//! Upstream's kube-proxy on a node.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{ControlPlane, KUBE_PROXY, configuration};
use crate::topology::{Node, Process};

/// Its first rules are in place within this or not at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its own default. That it calls itself healthy says nothing before its first rules.
const METRICS: &str = "http://127.0.0.1:10249/metrics";

/// A running kube-proxy.
#[derive(Debug)]
pub struct KubeProxy {
    process: Process,
}

impl KubeProxy {
    /// Starts it with a [`configuration`] of these settings, which is kept below `folder`, and waits
    /// until it has written its first rules.
    pub fn start(
        node: &Node,
        plane: &ControlPlane<'_>,
        programs: &Path,
        folder: &Path,
        settings: &Value,
    ) -> Result<Self> {
        let config = configuration(node, &plane.kubeconfig(KUBE_PROXY)?, settings);
        let path = folder.join(format!("{}.kube-proxy.json", node.name()));
        fs::write(&path, config.to_string())
            .with_context(|| format!("writing {}", path.display()))?;
        let flag = format!("--config={}", path.display());
        let process = node.start_program(&programs.join("kube-proxy"), &[flag], "kube-proxy")?;
        let mut proxy = Self { process };
        proxy.wait_in_sync(node).map(|()| proxy)
    }

    fn wait_in_sync(&mut self, node: &Node) -> Result<()> {
        let started = Instant::now();
        while !is_in_sync(&metrics(node)?) {
            if started.elapsed() > PATIENCE || !self.process.is_running() {
                let (log, tail) = (self.process.log().display(), self.process.log_tail());
                bail!("kube-proxy of {} did not start; {log}:\n{tail}", node.name());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// Nothing while it does not listen.
fn metrics(node: &Node) -> Result<String> {
    let mut curl = node.command("curl")?;
    curl.args(["--silent", "--fail", "--noproxy", "*", "--max-time", "5", METRICS]);
    let output = curl.output().context("starting nsenter")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the rules of both families were written since that was last asked for.
fn is_in_sync(metrics: &str) -> bool {
    ["IPv4", "IPv6"].iter().all(|family| {
        let time = |name: &str| -> Option<f64> {
            let key = format!("kubeproxy_sync_proxy_rules_{name}_timestamp_seconds");
            let key = format!("{key}{{ip_family=\"{family}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(&key)?.parse().ok())
        };
        let (written, asked) = (time("last"), time("last_queued"));
        written.is_some() && written >= asked
    })
}

#[cfg(test)]
mod tests {
    use super::is_in_sync;

    /// Of a kube-proxy that wrote and was asked at these times.
    fn metrics(rows: &[(&str, &str, &str)]) -> String {
        let lines = rows.iter().map(|(name, family, time)| {
            let name = format!("kubeproxy_sync_proxy_rules_{name}_timestamp_seconds");
            format!("# TYPE {name} gauge\n{name}{{ip_family=\"{family}\"}} {time}\n")
        });
        lines.collect()
    }

    #[test]
    fn both_families_must_be_written_since_they_were_asked_for() {
        let asked = [("last_queued", "IPv4", "1.7e+09"), ("last_queued", "IPv6", "1.7e+09")];
        let later = [("last", "IPv4", "1.7000001e+09"), ("last", "IPv6", "1.7e+09")];
        let rows = [
            ("nothing", vec![], false),
            ("asked", asked.to_vec(), false),
            ("one family", [&asked[..], &later[..1]].concat(), false),
            ("both", [&asked[..], &later].concat(), true),
            ("stale", [&asked[..], &later[..1], &[("last", "IPv6", "1.6e+09")]].concat(), false),
        ];
        for (name, rows, expected) in rows {
            assert_eq!(is_in_sync(&metrics(&rows)), expected, "{name}");
        }
    }
}
