//! The way to the API server: a kubeconfig, or the pod's own service account.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::entrance::Entrance;
use super::requests::PATIENCE;

/// An address that does not answer is given up after this time.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the address and the credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// From a file, by its current context.
    Kubeconfig(PathBuf),
    /// From the environment and the service account of the pod around the process.
    InCluster,
}

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file does not lead to a server.
    #[error(
        "--kubeconfig {}: {cause}; give a kubeconfig whose current context names a cluster and a \
         user that can be read from here",
        file.display()
    )]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no cluster around the process.
    #[error(
        "no source of objects: neither --manifests nor --kubeconfig is given, and this is no pod \
         with a service account: {cause}; give --manifests DIR, a folder of YAML files, or \
         --kubeconfig FILE, or run as a pod that has a service account"
    )]
    InCluster {
        /// What is missing.
        cause: String,
    },
    /// The way leads to another server than before.
    #[error("it leads to {address} now; restart the agent to follow it there")]
    Elsewhere {
        /// The other server's address.
        address: String,
    },
}

impl Access {
    /// A client of the API server. Asks it nothing yet.
    ///
    /// # Errors
    /// When the file, the environment or the credentials are not usable.
    pub async fn enter(&self) -> Result<Entrance, AccessError> {
        let access = self.clone();
        // A kubeconfig may name a command that hands out credentials, and takes its time.
        let entering = spawn_blocking(move || Handle::current().block_on(access.client()));
        let entered = match timeout(PATIENCE, entering).await {
            Ok(entered) => entered.unwrap_or_else(|error| Err(error.to_string())),
            Err(_) => Err(format!("its command gave nothing within {} s", PATIENCE.as_secs())),
        };
        match entered {
            Ok((client, address)) => {
                Ok(Entrance { client, address, access: Some(self.clone()), figures: None })
            }
            Err(cause) => Err(self.error(cause)),
        }
    }

    /// A client, and the address that it leads to.
    async fn client(&self) -> Result<(Client, String), String> {
        let mut config = match self {
            Self::Kubeconfig(file) => from_file(file).await?,
            Self::InCluster => Config::incluster_env().map_err(|error| chain(&error))?,
        };
        config.connect_timeout = Some(CONNECT);
        // When to come again is decided where it is known what failed.
        config.default_retry = false;
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| chain(&error))?;
        Ok((client, address.trim_end_matches('/').to_owned()))
    }

    fn error(&self, cause: String) -> AccessError {
        match self {
            Self::Kubeconfig(file) => AccessError::Kubeconfig { file: file.clone(), cause },
            Self::InCluster => AccessError::InCluster { cause },
        }
    }
}

async fn from_file(file: &Path) -> Result<Config, String> {
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| chain(&error))?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| chain(&error))
}

/// An error with its causes, without those that it quotes itself.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
