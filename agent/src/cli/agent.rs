//! Arguments of `waggle agent`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Places;
use crate::config::{Config, Mode, healthz_address, metrics_address};
use crate::devices::Selection;
use crate::kube::{Access, AccessError};
use crate::source::Origin;

/// Arguments of `waggle agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Name of this node's Node object; without it `nodeName` of --config, and without that the
    /// name of the host.
    #[arg(long, visible_alias = "hostname-override", value_name = "NAME")]
    pub node_name: Option<String>,
    /// Take objects from the YAML files in this folder, and follow their changes.
    #[arg(long, value_name = "DIR", conflicts_with = "kubeconfig")]
    pub manifests: Option<PathBuf>,
    /// Take objects from the API server that this file's current context names.
    ///
    /// Without --manifests, --kubeconfig and `kubeconfig` of --config the API server of the cluster
    /// around the process is meant: the process is then a pod with a service account, and the address in
    /// `KUBERNETES_SERVICE_HOST` must not be a cluster IP, since nobody serves that before Waggle.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Settings: a YAML file of our own, or the `KubeProxyConfiguration` of a kube-proxy as it is.
    ///
    /// Keys of our own are mode (as --mode), vxlan (vni, port), `cniPlugin`, delivery (bypass, stack), attach (auto, clsact), devices (as --devices),
    /// `logLevel` (error, warn, info, debug, trace) and `keepClientIP` (none, local); and, as
    /// kube-proxy knows them, `nodeName`, kubeconfig, `nodePortAddresses` (of primary, all,
    /// localhost and networks), `detectLocal` (`ownPods`, `clusterCIDRs`: [...], `nodeCIDR`,
    /// `bridgeInterface`: NAME, `interfaceNamePrefix`: TEXT, none), `masqueradeAll`,
    /// `healthzBindAddress`, `metricsBindAddress`, `syncPeriod`, `minSyncPeriod` and conntrack. What
    /// is set and has no effect is told in one warning. Flags go before what the file says.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Devices to serve, by patterns with commas between, such as `eth*,!docker0`: those that one
    /// takes in, or any where none takes in, without those that one with ! leaves out.
    ///
    /// `*` stands for any characters and ? for one. Loopback, ports of bonds and links to pods are
    /// never meant, and ports of a bridge go with it. Packets of a device that is left out reach no
    /// Service. This goes before the key devices of --config.
    #[arg(long, value_name = "PATTERNS")]
    pub devices: Option<Selection>,
    /// How pods of other nodes are reached. Without it `mode` of --config, and without that host-gw.
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// Address and port where load balancers and kubelets ask for `/healthz` and `/livez`; 0.0.0.0
    /// and `::` are all addresses of both families, and port 0 or nothing is nowhere. Without it `healthzBindAddress` of --config, and
    /// without that 0.0.0.0:10256.
    #[arg(long, value_name = "ADDRESS", value_parser = healthz_address)]
    pub healthz_bind_address: Option<SocketAddr>,
    /// Address and port where monitoring asks for `/metrics`, and tools for `/proxyMode`; nowhere with port 0
    /// or nothing. Without it
    /// `metricsBindAddress` of --config, and without that 127.0.0.1:10249.
    #[arg(long, value_name = "ADDRESS", value_parser = metrics_address)]
    pub metrics_bind_address: Option<SocketAddr>,
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub places: Places,
    /// Folder of the cgroup v2 hierarchy that all processes of this node are in; without it the
    /// mount in /proc/mounts. What they send to Services is translated there.
    #[arg(long, value_name = "DIR")]
    pub cgroup_root: Option<PathBuf>,
    /// Form of the log on standard error. `RUST_LOG` chooses what is logged.
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the chosen source of objects is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder is not one.
    #[error("--manifests {}: {cause}; give an existing folder of YAML files", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no way to an API server.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl AgentArgs {
    /// What a file says, where flags do not say otherwise.
    #[must_use]
    pub fn over(&self, config: Config) -> Config {
        let Self { node_name, kubeconfig, devices, .. } = self;
        let (healthz, metrics) = (self.healthz_bind_address, self.metrics_bind_address);
        Config {
            node_name: node_name.clone().or(config.node_name),
            kubeconfig: kubeconfig.clone().or(config.kubeconfig),
            mode: self.mode.unwrap_or(config.mode),
            devices: devices.clone().unwrap_or(config.devices),
            healthz_bind_address: healthz.unwrap_or(config.healthz_bind_address),
            metrics_bind_address: metrics.unwrap_or(config.metrics_bind_address),
            ..config
        }
    }

    /// Where to take objects from: a folder, else what the settings lead to. Nothing is asked of an
    /// API server yet.
    ///
    /// # Errors
    /// When a folder cannot be read, or no way to an API server is known.
    pub async fn source(&self, config: &Config) -> Result<Origin, SourceError> {
        let Some(folder) = self.manifests.clone() else {
            let access = config.kubeconfig.clone().map_or(Access::InCluster, Access::Kubeconfig);
            return Ok(Origin::Api(access.enter().await?));
        };
        match std::fs::read_dir(&folder) {
            Ok(_) => Ok(Origin::Folder(folder)),
            Err(error) => Err(SourceError::Folder { folder, cause: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn agent(line: &str) -> Result<AgentArgs, clap::Error> {
        let words = ["waggle", "agent"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| match cli.command {
            Command::Agent(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn defaults_are_those_of_the_interface() {
        let args = agent("--node-name a --manifests /").unwrap();
        let places =
            Places { bpf_root: "/sys/fs/bpf/waggle".into(), run_dir: "/run/waggle".into() };
        assert_eq!((args.places, args.log_format), (places, LogFormat::Text));
    }

    #[test]
    fn flags_that_contradict_each_other_are_named() {
        for (line, named) in [
            ("--node-name a --manifests / --kubeconfig f", vec!["--manifests", "--kubeconfig"]),
            ("--node-name a --manifests / --log-format xml", vec!["--log-format", "xml"]),
            ("--node-name a --manifests / --devices eth0,", vec!["--devices", "names no device"]),
            ("--healthz-bind-address here", vec!["--healthz-bind-address", "no address to listen"]),
        ] {
            let message = agent(line).unwrap_err().to_string();
            assert!(named.iter().all(|name| message.contains(name)), "{line}: {message}");
        }
    }

    #[test]
    fn flags_go_before_the_file() {
        let file = || Config {
            node_name: Some("of-file".to_owned()),
            kubeconfig: Some("/of-file".into()),
            devices: "eth0".parse().unwrap(),
            masquerade_all: true,
            ..Config::default()
        };
        let of_flags = Config {
            node_name: Some("of-flag".to_owned()),
            kubeconfig: Some("/of-flag".into()),
            devices: "eth1".parse().unwrap(),
            healthz_bind_address: "127.0.0.1:10256".parse().unwrap(),
            metrics_bind_address: "[::]:1".parse().unwrap(),
            ..file()
        };
        let others = "--kubeconfig /of-flag --devices eth1 --healthz-bind-address 127.0.0.1 \
                      --metrics-bind-address [::]:1";
        let [flags, old_flags] =
            ["node-name", "hostname-override"].map(|name| format!("--{name} of-flag {others}"));
        for (line, config, expected) in [
            (&String::new(), file(), file()),
            (&flags, Config::default(), Config { masquerade_all: false, ..of_flags.clone() }),
            (&flags, file(), of_flags.clone()),
            (&old_flags, file(), of_flags),
        ] {
            assert_eq!(agent(line).unwrap().over(config), expected, "{line}");
        }
    }

    #[test]
    fn a_source_that_cannot_be_taken_is_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("empty"), "apiVersion: v1\nkind: Config\n").unwrap();
        std::fs::write(path("broken"), "clusters: [").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (options, start) in [
            (String::new(), "no source of objects: ".to_owned()),
            (format!("--kubeconfig {}", path("none")), format!("--kubeconfig {}: ", path("none"))),
            (
                format!("--kubeconfig {}", path("empty")),
                format!("--kubeconfig {}: ", path("empty")),
            ),
            (
                format!("--kubeconfig {}", path("broken")),
                format!("--kubeconfig {}: ", path("broken")),
            ),
            ("--manifests /missing".to_owned(), "--manifests /missing: No such file".to_owned()),
        ] {
            let args = agent(&format!("--node-name a {options}")).unwrap();
            let config = args.over(Config::default());
            let Err(error) = runtime.block_on(args.source(&config)) else {
                panic!("{options}: taken")
            };
            let message = error.to_string();
            assert!(message.starts_with(&start) && message.contains("; give "), "{message}");
        }
    }
}
