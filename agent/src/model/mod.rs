//! What the agent reasons about: Services, endpoints and nodes, reduced to the parts that can
//! change what a node does. No Kubernetes types and no maps.

mod backend;
mod endpoint;
mod frontend;
mod health_check;
mod name;
mod node;
mod service;
mod service_cidr;

pub use backend::Backend;
pub use endpoint::{Endpoint, EndpointSet, EndpointsSpec, Hints, SliceSpec};
pub use frontend::{Frontend, Role, frontend_text, node_port_range};
pub(crate) use frontend::{any_node, is_exact, keys_at, node_ports};
pub use health_check::HealthCheck;
pub use name::{Name, ServicePortName};
pub use node::NodeSpec;
pub use service::{PortSpec, Protocol, ServiceKind, ServiceSpec};
pub use service_cidr::ServiceCidrSpec;
