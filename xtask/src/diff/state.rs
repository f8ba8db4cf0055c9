//! All Services and slices of one namespace at one time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use serde::{Deserialize, Serialize};

use super::{probe::Protocol, service::Service, slice::Slice};

/// The objects by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) services: BTreeMap<String, Service>,
    pub(super) slices: BTreeMap<String, Slice>,
}

/// One object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(super) enum Object {
    /// A Service.
    Service(Service),
    /// One of the slices of one.
    EndpointSlice(Slice),
}

impl State {
    /// Adds or replaces a Service.
    pub(super) fn set_service(&mut self, service: Service) {
        self.services.insert(service.metadata.name.clone(), service);
    }

    /// Adds or replaces a slice.
    pub(super) fn set_slice(&mut self, slice: Slice) {
        self.slices.insert(slice.metadata.name.clone(), slice);
    }

    /// Removes a Service with its slices.
    pub(super) fn remove(&mut self, service: &str) {
        self.services.remove(service);
        self.slices.retain(|_, slice| !slice.is_of(service));
    }

    /// The slices of a Service.
    pub(super) fn slices_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Slice> {
        self.slices.values().filter(move |slice| slice.is_of(service))
    }

    /// One Service and its slices.
    pub(super) fn only(&self, service: &str) -> Self {
        let mut only = self.clone();
        only.services.retain(|name, _| name == service);
        only.slices.retain(|_, slice| slice.is_of(service));
        only
    }

    /// Every endpoint that the slices have for a ServicePort, usable or not.
    pub(super) fn endpoints(
        &self,
        service: &str,
        port: &str,
        protocol: Protocol,
    ) -> BTreeSet<SocketAddr> {
        let of_slice = |slice: &Slice| {
            let addresses: Vec<_> =
                slice.endpoints.iter().filter_map(|it| it.addresses.first().copied()).collect();
            let numbers: Vec<u16> = slice.numbers(port, protocol).collect();
            addresses.into_iter().flat_map(move |address| {
                numbers.clone().into_iter().map(move |number| SocketAddr::new(address, number))
            })
        };
        self.slices_of(service).flat_map(of_slice).collect()
    }

    /// All objects, each Service before its slices.
    pub(super) fn objects(&self) -> Vec<Object> {
        let services = self.services.values().cloned().map(Object::Service);
        services.chain(self.slices.values().cloned().map(Object::EndpointSlice)).collect()
    }
}

impl FromIterator<Object> for State {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        let mut state = Self::default();
        for object in objects {
            match object {
                Object::Service(service) => state.set_service(service),
                Object::EndpointSlice(slice) => state.set_slice(slice),
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, State};

    const TEXT: &str = r#"- kind: Service
  apiVersion: v1
  metadata:
    name: web
  spec:
    type: LoadBalancer
    clusterIP: "10.96.1.1"
    clusterIPs:
    - "10.96.1.1"
    ipFamilies:
    - IPv4
    ipFamilyPolicy: SingleStack
    ports:
    - protocol: UDP
      port: 53
      nodePort: 30053
    externalTrafficPolicy: Local
    externalIPs:
    - "198.51.100.1"
  status:
    loadBalancer:
      ingress:
      - ip: "198.51.100.2"
        ipMode: VIP
- kind: EndpointSlice
  apiVersion: discovery.k8s.io/v1
  metadata:
    name: web-1
    labels:
      kubernetes.io/service-name: web
  addressType: IPv4
  ports:
  - name: ""
    protocol: UDP
    port: 5353
  endpoints:
  - addresses:
    - "10.244.1.2"
    conditions:
      ready: false
    nodeName: node-a
    hints:
      forZones:
      - name: zone-a
"#;

    #[test]
    fn objects_are_read_as_they_are_written() {
        let objects: Vec<Object> = serde_saphyr::from_str(TEXT).unwrap();
        let state: State = objects.into_iter().collect();
        assert_eq!(serde_saphyr::to_string(&state.objects()).unwrap(), TEXT);
        assert_eq!(
            state.endpoints("web", "", super::Protocol::Udp),
            ["10.244.1.2:5353".parse().unwrap()].into()
        );
    }
}
