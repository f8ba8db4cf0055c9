//! An open way to the API server, and how it is opened anew with what credentials there are now.

use std::time::Duration;

use http::{Method, StatusCode};
use kube::Client;

use super::access::{Access, AccessError};
use crate::metrics::Requests;

/// A client and what it leads to.
#[derive(Clone)]
pub struct Entrance {
    /// The client.
    pub client: Client,
    /// The API server's address.
    pub address: String,
    /// Where the client came from, if another can be had there.
    pub access: Option<Access>,
    /// Where requests are counted.
    pub figures: Option<Requests>,
}

impl Entrance {
    /// Reads again what leads here: certificates and tokens are replaced while an agent runs. On an
    /// error the client stays as it was.
    ///
    /// # Errors
    /// When there is no way any more, or it leads to another server, whose objects would be others.
    pub(super) async fn renew(&mut self) -> Result<(), AccessError> {
        let Some(access) = &self.access else { return Ok(()) };
        let renewed = access.enter().await?;
        if renewed.address != self.address {
            return Err(AccessError::Elsewhere { address: renewed.address });
        }
        *self = Self { figures: self.figures.take(), ..renewed };
        Ok(())
    }

    /// Counts a request that was answered with a status, or not at all.
    pub(super) fn count(&self, method: &Method, status: Option<StatusCode>, took: Duration) {
        let host = self.address.split_once("://").map_or(&*self.address, |(_, host)| host);
        if let Some(figures) = &self.figures {
            figures.answered(method.as_str(), host, status.map(|status| status.as_u16()), took);
        }
    }
}
