//! The kernel object, loaded for a test: nothing is pinned, nothing is attached.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData, PerCpuArray, PerCpuValues};
use aya::programs::{Program, ProgramInfo, SchedClassifier, TestRun as _, TestRunOptions};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader, Pod};
use dataplane_common::abi::{
    Addr, Address, Affinity, AffinityKey, Backend, Counter, FlowEntry, FlowKey, FragmentKey,
    Fragmented, FrontendKey, LIVES, Network, Node, NodeConfig, Phase, SOURCE_PREFIX, Service,
    ServiceId, Slot, SourceKey, names,
};

use crate::outcome::{Action, Outcome};
use crate::world::World;

/// Flows that a map for rows of tests has room for: the rest would be memory to allocate.
const FEW_FLOWS: u32 = 4096;
/// Bytes of the kernel's `struct __sk_buff`.
const CONTEXT: usize = 192;
/// Where in it the mark stands.
const MARK: usize = 8;
/// Where in it the device stands.
const IFINDEX: usize = 40;
/// Where in it the segments' size stands.
const GSO_SIZE: usize = 176;
/// Bytes of the largest packet that comes out.
const LARGEST: usize = 8192;

/// A packet as a hook gets it.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// From its first header on.
    pub bytes: &'a [u8],
    /// The device whose hook it is.
    pub ifindex: u32,
    /// Payload bytes of one segment; zero without segmentation offload.
    pub gso_size: u32,
    /// Its mark.
    pub mark: u32,
}

/// A family whose conntrack can be read.
pub trait Family: Address + 'static {
    /// The name of the family's conntrack map.
    const FLOWS: &'static str;
}

impl Family for [u8; 4] {
    const FLOWS: &'static str = names::FLOWS4;
}

impl Family for [u8; 16] {
    const FLOWS: &'static str = names::FLOWS6;
}

/// The loaded object.
#[derive(Debug)]
pub struct Object {
    ebpf: Ebpf,
}

/// The file that `cargo xtask build` makes.
///
/// # Errors
/// When it is not there.
pub fn file() -> Result<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/ebpf/waggle.o"));
    std::fs::read(&path)
        .with_context(|| format!("reading {}: run `cargo xtask build` first", path.display()))
}

impl Object {
    /// Loads the programs with room for few flows.
    ///
    /// # Errors
    /// When the object is not built, or the kernel refuses it.
    pub fn load(config: NodeConfig) -> Result<Self> {
        Self::with_room_for(config, FEW_FLOWS)
    }

    /// Loads the programs with room for this many flows of each family.
    ///
    /// # Errors
    /// When the object is not built, or the kernel refuses it.
    pub fn with_room_for(config: NodeConfig, flows: u32) -> Result<Self> {
        Self::of(&file()?, config, &[(names::FLOWS4, flows), (names::FLOWS6, flows)])
    }

    /// Loads the programs of a file, with room for this much in some maps.
    ///
    /// # Errors
    /// When the kernel refuses them.
    pub fn of(file: &[u8], config: NodeConfig, rooms: &[(&str, u32)]) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        loader.override_global(names::CONFIG, &config, true);
        for (map, room) in rooms {
            loader.map_max_entries(map, *room);
        }
        let mut ebpf = loader.load(file).context("loading the object")?;
        for (name, program) in ebpf.programs_mut() {
            match program {
                Program::SchedClassifier(program) => program.load(),
                Program::CgroupSockAddr(program) => program.load(),
                _ => bail!("program {name} is of a type that nobody here knows"),
            }
            .with_context(|| format!("loading program {name}"))?;
        }
        Ok(Self { ebpf })
    }

    /// The names of maps and programs, sorted.
    #[must_use]
    pub fn contents(&self) -> (Vec<String>, Vec<String>) {
        let mut maps: Vec<_> = self.ebpf.maps().map(|(name, _)| name.to_owned()).collect();
        let mut programs: Vec<_> = self.ebpf.programs().map(|(name, _)| name.to_owned()).collect();
        maps.sort_unstable();
        programs.sort_unstable();
        (maps, programs)
    }

    /// What the kernel knows of a program.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn info(&self, program: &str) -> Result<ProgramInfo> {
        let program =
            self.ebpf.program(program).with_context(|| format!("no program {program}"))?;
        Ok(program.info()?)
    }

    /// Makes the maps hold a world and nothing else.
    ///
    /// # Errors
    /// The kernel's.
    pub fn fill(&mut self, world: &World) -> Result<()> {
        self.serve(&world.services())?;
        self.set_backends(world)?;
        self.replace(names::LINKS, &world.links())?;
        self.replace::<AffinityKey, Affinity>(names::AFFINITIES, &[])?;
        self.replace::<FragmentKey, Fragmented>(names::FRAGMENTS, &[])?;
        self.replace::<FlowKey<[u8; 4]>, FlowEntry<[u8; 4]>>(names::FLOWS4, &[])?;
        self.replace::<FlowKey<[u8; 16]>, FlowEntry<[u8; 16]>>(names::FLOWS6, &[])?;
        self.fill_networks(&world.networks())?;
        self.fill_sources(&world.sources)?;
        self.set_node(world)?;
        let mut timeouts: Array<_, u32> = Array::try_from(self.map(names::TIMEOUTS)?)?;
        for life in 0..LIVES {
            timeouts.set(life, Phase::of(life).usual(), 0)?;
        }
        let mut slots: Array<_, Slot> = Array::try_from(self.map(names::SLOTS)?)?;
        for (index, slot) in (1..).zip(world.slots()) {
            slots.set(index, slot, 0)?;
        }
        let mut counters: PerCpuArray<_, u64> = PerCpuArray::try_from(self.map(names::COUNTERS)?)?;
        let cpus = nr_cpus().map_err(|(_, error)| error).context("counting CPUs")?;
        for counter in Counter::ALL {
            counters.set(counter.index(), PerCpuValues::try_from(vec![0; cpus])?, 0)?;
        }
        Ok(())
    }

    /// Makes the node the world's, and leaves all else.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_node(&mut self, world: &World) -> Result<()> {
        let mut node: Array<_, Node> = Array::try_from(self.map(names::NODE)?)?;
        Ok(node.set(0, world.node(), 0)?)
    }

    /// Makes pods and states of backends the world's, and leaves all else.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_backends(&mut self, world: &World) -> Result<()> {
        self.replace(names::PODS, &world.pods())?;
        self.replace(names::UNGUARDED, &world.unguarded())?;
        let mut backends: Array<_, Backend> = Array::try_from(self.map(names::BACKENDS)?)?;
        for (index, state) in (1..).zip(world.states()) {
            backends.set(index, state, 0)?;
        }
        Ok(())
    }

    /// Makes these the frontends, and leaves all else.
    ///
    /// # Errors
    /// The kernel's.
    pub fn serve(&mut self, services: &[(FrontendKey, Service)]) -> Result<()> {
        self.replace(names::SERVICES, services)
    }

    /// Everything in conntrack.
    ///
    /// # Errors
    /// The kernel's.
    pub fn flows<A: Family>(&self) -> Result<BTreeMap<FlowKey<A>, FlowEntry<A>>>
    where
        FlowKey<A>: Pod,
        FlowEntry<A>: Pod,
    {
        let map = self.ebpf.map(A::FLOWS).context("no conntrack map")?;
        let flows: HashMap<_, FlowKey<A>, FlowEntry<A>> = HashMap::try_from(map)?;
        Ok(flows.iter().collect::<Result<_, _>>()?)
    }

    /// Every client that is held to a backend.
    ///
    /// # Errors
    /// The kernel's.
    pub fn affinities(&self) -> Result<BTreeMap<AffinityKey, Affinity>> {
        let map = self.ebpf.map(names::AFFINITIES).context("no affinities")?;
        let held: HashMap<_, AffinityKey, Affinity> = HashMap::try_from(map)?;
        Ok(held.iter().collect::<Result<_, _>>()?)
    }

    /// Every first fragment that is remembered.
    ///
    /// # Errors
    /// The kernel's.
    pub fn fragments(&self) -> Result<BTreeMap<FragmentKey, Fragmented>> {
        let map = self.ebpf.map(names::FRAGMENTS).context("no fragments")?;
        let fragments: HashMap<_, FragmentKey, Fragmented> = HashMap::try_from(map)?;
        Ok(fragments.iter().collect::<Result<_, _>>()?)
    }

    /// Every counter that is not zero, summed over the CPUs.
    ///
    /// # Errors
    /// The kernel's.
    pub fn counters(&self) -> Result<BTreeMap<Counter, u64>> {
        let map = self.ebpf.map(names::COUNTERS).context("no counters")?;
        let map: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
        let mut counters = BTreeMap::new();
        for counter in Counter::ALL {
            let sum: u64 = map.get(&counter.index(), 0)?.iter().sum();
            if sum != 0 {
                counters.insert(counter, sum);
            }
        }
        Ok(counters)
    }

    /// Runs a program on a packet.
    ///
    /// # Errors
    /// When there is no such program, or the kernel refuses to run it.
    pub fn run(&self, program: &str, arrived: Arrived<'_>) -> Result<Outcome> {
        let mut context = [0; CONTEXT];
        context[IFINDEX..IFINDEX + 4].copy_from_slice(&arrived.ifindex.to_ne_bytes());
        context[MARK..MARK + 4].copy_from_slice(&arrived.mark.to_ne_bytes());
        context[GSO_SIZE..GSO_SIZE + 4].copy_from_slice(&arrived.gso_size.to_ne_bytes());
        let (mut bytes, mut left) = (vec![0; LARGEST], [0; CONTEXT]);
        let result = self.program(program)?.test_run(TestRunOptions {
            data_in: Some(arrived.bytes),
            data_out: Some(&mut bytes),
            ctx_in: Some(&context),
            ctx_out: Some(&mut left),
            ..TestRunOptions::default()
        })?;
        bytes.truncate(result.data_size_out as usize);
        let [.., m0, m1, m2, m3] = left[..MARK + 4] else { unreachable!("the context's size") };
        let mark = u32::from_ne_bytes([m0, m1, m2, m3]);
        Ok(Outcome { action: Action::from_return(result.return_value), bytes, mark })
    }

    fn fill_networks(&mut self, networks: &[((Addr, u32), Network)]) -> Result<()> {
        let mut map: LpmTrie<_, Addr, Network> = LpmTrie::try_from(self.map(names::NETWORKS)?)?;
        for key in map.keys().collect::<Result<Vec<_>, _>>()? {
            map.remove(&key)?;
        }
        for ((addr, bits), network) in networks {
            map.insert(&Key::new(*bits, *addr), network, 0)?;
        }
        Ok(())
    }

    fn fill_sources(&mut self, clients: &[IpAddr]) -> Result<()> {
        let mut map: LpmTrie<_, SourceKey, u32> = LpmTrie::try_from(self.map(names::SOURCES)?)?;
        for key in map.keys().collect::<Result<Vec<_>, _>>()? {
            map.remove(&key)?;
        }
        for client in clients {
            let key = SourceKey { service: ServiceId(1), addr: Addr::from(*client) };
            map.insert(&Key::new(SOURCE_PREFIX + 128, key), 0, 0)?;
        }
        Ok(())
    }

    fn program(&self, name: &str) -> Result<&SchedClassifier> {
        let program = self.ebpf.program(name).with_context(|| format!("no program {name}"))?;
        Ok(program.try_into()?)
    }

    fn map(&mut self, name: &str) -> Result<&mut aya::maps::Map> {
        self.ebpf.map_mut(name).with_context(|| format!("no map {name}"))
    }

    fn replace<K: Pod, V: Pod>(&mut self, name: &str, entries: &[(K, V)]) -> Result<()> {
        let mut map: HashMap<&mut MapData, K, V> = self.map(name)?.try_into()?;
        for key in map.keys().collect::<Result<Vec<_>, _>>()? {
            map.remove(&key)?;
        }
        for (key, value) in entries {
            map.insert(key, value, 0)?;
        }
        Ok(())
    }
}
