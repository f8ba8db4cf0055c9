//! What the CNI plugin is told of this node.

use tracing::info;

use super::Network;
use crate::devices::Devices;
use crate::model::NodeSpec;
use crate::node_file::{self, NodeFile};

impl Network {
    /// Writes the plugin's file where it is missing or says something else.
    pub(super) fn write_node_file(
        &mut self,
        own: &NodeSpec,
        devices: &Devices,
        mtu: u32,
    ) -> std::io::Result<()> {
        let file = NodeFile {
            boot_id: self.parts.boot_id.clone(),
            pod_cidrs: own.pod_cidrs.clone(),
            mtu,
            node_ips: devices.held(own),
            attach: self.parts.attach,
        };
        if self.written.as_ref() != Some(&file) || !node_file::path(&self.parts.run_dir).exists() {
            file.write(&self.parts.run_dir)?;
            info!(mtu, "wrote node.json");
            self.written = Some(file);
        }
        Ok(())
    }
}
