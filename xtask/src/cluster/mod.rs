//! What makes nodes a cluster: objects as YAML, agents, pods, and upstream's own programs. For the
//! demo and the suites, each of which brings its own Services.

mod agent;
mod configuration;
mod control;
mod kube_proxy;
mod manifests;

pub use agent::{Agent, PATIENCE};
pub use configuration::configuration;
pub use control::{ADMINISTRATOR, ControlPlane, KUBE_PROXY, Request, User, WAGGLE};
pub use kube_proxy::KubeProxy;
pub use manifests::{Endpoint, Manifests, Ports};

/// What a runtime finds in /etc/cni/net.d.
pub const CNI_CONFIG: &str = r#"{"cniVersion":"1.0.0","name":"waggle","type":"waggle-cni"}"#;
