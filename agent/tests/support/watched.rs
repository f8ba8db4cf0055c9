//! Maps that check, at each write, that no packet could meet a half-made change.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::ops::Range;

use dataplane_common::abi::{
    Backend, BackendId, BackendState, FrontendKey, FrontendKind, Scopes, Service, ServiceFlags,
    Slot,
};
use waggle_agent::maps::fake::FakeMaps;
use waggle_agent::maps::{Bounds, Capacity, LbMaps, Result, Source, dump};
use waggle_agent::model::frontend_text;

/// Maps over a fake that write down what is done to them.
#[derive(Debug, Default)]
pub(crate) struct WatchedMaps {
    pub(crate) fake: FakeMaps,
    log: RefCell<Vec<String>>,
    is_unchecked: bool,
    /// How many more writes are made; the others are lost, as those of a killed agent are.
    left: Cell<Option<usize>>,
}

impl WatchedMaps {
    pub(crate) fn with_capacity(capacity: Capacity) -> Self {
        Self { fake: FakeMaps::with_capacity(capacity), ..Self::default() }
    }

    /// Maps that are too large to be checked at each write.
    pub(crate) fn unchecked() -> Self {
        Self { is_unchecked: true, ..Self::default() }
    }

    /// What was done since the last call, a line for each write.
    pub(crate) fn take_log(&self) -> Vec<String> {
        self.log.take()
    }

    /// Makes this many writes, then none.
    pub(crate) fn end_after(&self, writes: usize) {
        self.left.set(Some(writes));
    }

    /// Makes every write again.
    pub(crate) fn never_end(&self) {
        self.left.set(None);
    }

    fn is_ended(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.map(|left| left.saturating_sub(1)));
        left == Some(0)
    }

    fn note(&self, line: String) {
        self.log.borrow_mut().push(line);
        self.check();
    }

    /// Every frontend is looked for where it is; every backend a new flow can be given is alive, has
    /// the identity the slot names and is in the set it was chosen from.
    fn check(&self) {
        if self.is_unchecked {
            return;
        }
        let services = self.fake.services().unwrap();
        let backends: std::collections::BTreeMap<_, _> =
            self.fake.backends().unwrap().into_iter().collect();
        for (key, service) in services {
            assert!(
                is_within(&self.fake.bounds, &key, &service),
                "{} is outside of {:?}, after {:#?}",
                frontend_text(&key),
                self.fake.bounds,
                self.log.borrow(),
            );
            if key.kind == FrontendKind::Address.number() {
                continue;
            }
            let live = service.cluster_offset + service.cluster_count;
            assert!(service.local_count <= live, "{service:?}");
            let slots = self.fake.slots(service.base..service.base + live).unwrap();
            for (slot, place) in slots.into_iter().zip(0..) {
                let backend = backends.get(&slot.backend).copied().unwrap_or_default();
                let is_good = backend.generation == slot.generation
                    && BackendState::from_number(backend.state) == BackendState::Active
                    && (place >= service.local_count || backend.scopes.has(Scopes::LOCAL))
                    && (place < service.cluster_offset || backend.scopes.has(Scopes::CLUSTER));
                assert!(
                    is_good,
                    "{} leads to {slot:?} whose backend is {backend:?}, after {:#?}",
                    frontend_text(&key),
                    self.log.borrow(),
                );
            }
        }
    }
}

impl LbMaps for WatchedMaps {
    fn capacity(&self) -> Capacity {
        self.fake.capacity()
    }

    fn services(&self) -> Result<Vec<(FrontendKey, Service)>> {
        self.fake.services()
    }

    fn put_service(&mut self, key: &FrontendKey, value: &Service) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.put_service(key, value)?;
        self.note(if key.kind != FrontendKind::Address.number() {
            format!("put {} -> {}+{}", frontend_text(key), value.base, dump::extent_length(value))
        } else {
            format!("mark {}", key.addr.to_ip())
        });
        Ok(())
    }

    fn delete_service(&mut self, key: &FrontendKey) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.delete_service(key)?;
        self.note(if key.kind != FrontendKind::Address.number() {
            format!("delete {}", frontend_text(key))
        } else {
            format!("unmark {}", key.addr.to_ip())
        });
        Ok(())
    }

    fn slots(&self, range: Range<u32>) -> Result<Vec<Slot>> {
        self.fake.slots(range)
    }

    fn write_slots(&mut self, base: u32, slots: &[Slot]) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.write_slots(base, slots)?;
        self.note(format!("slots {base}+{}", slots.len()));
        Ok(())
    }

    fn backends(&self) -> Result<Vec<(BackendId, Backend)>> {
        self.fake.backends()
    }

    fn write_backend(&mut self, id: BackendId, backend: &Backend) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.write_backend(id, backend)?;
        let state = dump::state_text(BackendState::from_number(backend.state));
        let scopes = dump::scopes_text(backend.scopes);
        self.note(format!("backend {} {state} {scopes}", id.0));
        Ok(())
    }

    fn sources(&self) -> Result<Vec<Source>> {
        self.fake.sources()
    }

    fn put_source(&mut self, source: Source) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.put_source(source)?;
        self.note(format!("let in {}", source.network));
        Ok(())
    }

    fn delete_source(&mut self, source: Source) -> Result<()> {
        if self.is_ended() {
            return Ok(());
        }
        self.fake.delete_source(source)?;
        self.note(format!("shut out {}", source.network));
        Ok(())
    }

    fn bound(&mut self, bounds: &Bounds) -> Result<()> {
        if *bounds == self.fake.bounds || self.is_ended() {
            return Ok(());
        }
        self.fake.bound(bounds)?;
        self.note(bounds_text(bounds));
        Ok(())
    }
}

/// Whether a packet for what a key stands for is looked up.
fn is_within(bounds: &Bounds, key: &FrontendKey, service: &Service) -> bool {
    let ip = key.addr.to_ip();
    if ip.is_unspecified() {
        let port = key.port.number();
        return bounds.node_ports.is_some_and(|(first, last)| first <= port && port <= last);
    }
    let is_within = match ip {
        IpAddr::V4(ip) => bounds.services4.is_some_and(|(first, last)| first <= ip && ip <= last),
        IpAddr::V6(ip) => bounds.services6.is_some_and(|(first, last)| first <= ip && ip <= last),
    };
    is_within || !service.flags.has(ServiceFlags::CLUSTER_IP)
}

fn bounds_text(bounds: &Bounds) -> String {
    let mut text = String::from("bounds");
    let Bounds { node_ports, services4, services6 } = bounds;
    text.extend(node_ports.map(|(first, last)| format!(" {first}-{last}")));
    text.extend(services4.map(|(first, last)| format!(" {first}-{last}")));
    text.extend(services6.map(|(first, last)| format!(" {first}-{last}")));
    text
}
