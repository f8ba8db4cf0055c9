//! Three nodes with agents and a pod on each, and no Service: what pods reach without any.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xtask::{
    cluster::{Agent, CNI_CONFIG},
    topology::{Attachment, Netns, Node, Pod, Process, Runtime},
    workload::{LARGE, ask, fetch},
};

use super::{
    cluster::{ANSWER, Ground, plugin, waggle},
    services::{PORT, ways},
};

/// Bytes of an answer that takes many segments.
const LONG: usize = 300_000;

/// The three.
pub(super) struct Land<'a> {
    ground: &'a Ground,
    pub(super) agents: Vec<Agent<'a>>,
    pub(super) members: Vec<Member<'a>>,
    manifests: PathBuf,
    config: PathBuf,
}

/// A pod that asks and answers, or a node in the place of one.
pub(super) struct Member<'a> {
    pub(super) pod: Pod<'a>,
    pub(super) addresses: Attachment,
    #[expect(dead_code, reason = "its drop ends the server")]
    server: Process,
}

/// What the Node object of a node says.
#[derive(Clone, Debug)]
pub(super) struct NodeObject {
    pub(super) name: String,
    /// The InternalIPs in their order.
    pub(super) ips: Vec<IpAddr>,
    /// The third number of its podCIDRs.
    pub(super) pods: u8,
}

impl NodeObject {
    fn yaml(&self) -> String {
        let Self { name, ips, pods } = self;
        let address = |ip: &IpAddr| format!("\x20   - {{type: InternalIP, address: \"{ip}\"}}\n");
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nspec:\n\
             \x20 podCIDRs: [10.244.{pods}.0/24, \"fd00:10:244:{pods}::/64\"]\n\
             status:\n\x20 addresses:\n{}---\n",
            ips.iter().map(address).collect::<String>()
        )
    }
}

impl<'a> Land<'a> {
    /// Starts agents by a configuration, and wires a pod on each node.
    pub(super) fn start(ground: &'a Ground, config: &str, nodes: &[NodeObject]) -> Result<Self> {
        let (manifests, file) =
            (ground.folder.join("manifests"), ground.folder.join("config.yaml"));
        fs::create_dir(&manifests)?;
        fs::write(&file, config)?;
        let (agents, members) = (Vec::new(), Vec::new());
        let mut land = Self { ground, agents, members, manifests, config: file };
        land.say(nodes)?;
        for node in ground.network.nodes() {
            let agent = Agent::launch(node, &waggle()?, &land.manifests, Some(&land.config))?;
            land.agents.push(agent);
        }
        land.agents.iter_mut().try_for_each(Agent::wait_ready)?;
        for node in ground.network.nodes() {
            land.members.push(land.wire(node, &format!("pod-of-{}", node.name()))?);
        }
        Ok(land)
    }

    fn wire(&self, node: &'a Node, name: &str) -> Result<Member<'a>> {
        let pod = node.make_pod(name)?;
        let runtime = Runtime::new(&plugin()?, CNI_CONFIG);
        let addresses = runtime.add(&pod).with_context(|| self.logs())?;
        let server = pod.serve(PORT)?;
        Ok(Member { pod, addresses, server })
    }

    /// Puts a new pod in the place of one.
    pub(super) fn wire_anew(&mut self, index: usize) -> Result<()> {
        let node = &self.ground.network.nodes()[index];
        self.members[index] = self.wire(node, &format!("new-pod-of-{}", node.name()))?;
        Ok(())
    }

    /// The name of the host side of the pod's link.
    pub(super) fn link_of(&self, index: usize) -> Result<String> {
        let links = said(self.ground.network.nodes()[index].netns(), "ip", &["-brief", "link"])?;
        let mut names = links.lines().filter_map(|line| line.split([' ', '@']).next());
        let is_of_pod = |name: &&str| name.starts_with("wag") && !name.starts_with("waggle");
        Ok(names.find(is_of_pod).with_context(|| links.clone())?.to_owned())
    }

    /// Writes a file of objects, all at once.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let (file, draft) = (self.manifests.join(name), self.manifests.join(".draft"));
        fs::write(&draft, text)?;
        Ok(fs::rename(draft, file)?)
    }

    /// Writes the Node objects, all at once.
    pub(super) fn say(&self, nodes: &[NodeObject]) -> Result<()> {
        let text: String = nodes.iter().map(NodeObject::yaml).collect();
        self.write("nodes.yaml", &text)
    }

    /// Starts the agents again by another configuration.
    pub(super) fn configure(&mut self, config: &str) -> Result<()> {
        fs::write(&self.config, config)?;
        self.agents.iter_mut().try_for_each(Agent::restart)
    }

    /// Starts one agent again by another configuration.
    pub(super) fn configure_one(&mut self, index: usize, config: &str) -> Result<()> {
        fs::write(&self.config, config)?;
        self.agents[index].restart()
    }

    /// What does not work of all that any pod may ask any other, and any node any pod.
    pub(super) fn unreached(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for server in &self.members {
            for client in self.members.iter().filter(|one| one.pod.name() != server.pod.name()) {
                let own = Some(client.addresses);
                wrong.extend(self.asked(client.pod.netns(), client.pod.name(), own, server)?);
            }
            for node in self.ground.network.nodes() {
                wrong.extend(self.asked(node.netns(), node.name(), None, server)?);
            }
        }
        Ok(wrong)
    }

    /// A client that is told is the one that the server must see.
    fn asked(
        &self,
        netns: &Netns,
        name: &str,
        client: Option<Attachment>,
        server: &Member<'_>,
    ) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let Attachment { v4, v6 } = server.addresses;
        for way in ways(v4.into(), v6.into(), |_| PORT) {
            let answer = netns.run(|| ask(way.protocol, way.address, ANSWER))?;
            let is_right =
                answer.as_ref().is_ok_and(|answer| {
                    let seen = answer.client.ip();
                    let own = client.map(|Attachment { v4, v6 }| {
                        if seen.is_ipv4() { IpAddr::from(v4) } else { IpAddr::from(v6) }
                    });
                    answer.server == server.pod.name() && own.is_none_or(|own| own == seen)
                });
            if !is_right {
                wrong.push(format!("{name} asks {way:?}: {answer:?}"));
            }
        }
        Ok(wrong)
    }

    /// Whether an answer of many segments comes from every pod to the first.
    pub(super) fn fetch_all(&self) -> Result<()> {
        let [first, others @ ..] = &self.members[..] else { return Ok(()) };
        for server in others {
            let Attachment { v4, v6 } = server.addresses;
            let [over_v4, _, over_v6, _] = ways(v4.into(), v6.into(), |_| PORT);
            for way in [over_v4, over_v6] {
                let body = first.pod.netns().run(|| fetch(way.address, LARGE, ANSWER))?;
                let length = body.with_context(|| format!("{way:?}"))?.len();
                anyhow::ensure!(length >= LONG, "{way:?}: {length} bytes");
            }
        }
        Ok(())
    }

    /// Which device of a node leads to a pod.
    pub(super) fn device_to(&self, node: &Node, pod: usize) -> Result<String> {
        let ip = self.members[pod].addresses.v4.to_string();
        let route = said(node.netns(), "ip", &["route", "get", &ip])?;
        Ok(word_after(&route, "dev").unwrap_or_default().to_owned())
    }

    pub(super) fn logs(&self) -> String {
        self.agents.iter().map(Agent::log_tail).collect::<Vec<_>>().join("\n")
    }
}

/// The Node objects as the nodes are.
pub(super) fn as_they_are(ground: &Ground) -> Vec<NodeObject> {
    let nodes = ground.network.nodes().iter().zip(1..);
    let object = |(node, pods): (&Node, u8)| NodeObject {
        name: node.name().to_owned(),
        ips: vec![node.addresses().v4.into(), node.addresses().v6.into()],
        pods,
    };
    nodes.map(object).collect()
}

/// Gives a node beyond the router other addresses.
pub(super) fn readdress(netns: &Netns, v4: Ipv4Addr, v6: Ipv6Addr) -> Result<Vec<IpAddr>> {
    netns.ip(&[
        "address flush dev eth0 scope global".to_owned(),
        format!("address add {v4}/24 dev eth0"),
        format!("address add {v6}/64 dev eth0 nodad"),
        "route replace default via 192.168.80.1".to_owned(),
        "route replace default via fd7a::1".to_owned(),
    ])?;
    Ok(vec![v4.into(), v6.into()])
}

/// The word that follows another one.
pub(super) fn word_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split_whitespace().skip_while(|it| *it != word).nth(1)
}

/// What a command says in a namespace.
pub(super) fn said(netns: &Netns, program: &str, arguments: &[&str]) -> Result<String> {
    let output = netns.command(program).args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
