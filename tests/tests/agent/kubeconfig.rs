//! An API server as the source: the same tables as from files, while it is there and while it is not.

use std::{fs, net::TcpListener, thread, time::Duration};

use anyhow::{Result, ensure};
use hostnet::Pins;
use replay::{Resource, Server, kubeconfig};
use serde_json::{Value, json};
use tokio::{runtime::Builder, sync::oneshot};
use waggle_agent::{k8s, manifests::parse_file};
use waggle_tests::{
    random::{Random, rounds},
    tables::Tables,
};

use super::host::{Answer, Host, NODES, SERVICES, hooks_of};

const ADDRESS: &str = "127.0.0.1:6443";

/// A Service of the host itself, at the port that is put in.
const ECHO: &str = r"
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: shop}
spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], ports: [{port: 80, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-1, namespace: shop, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: '', port: 8080, protocol: TCP}]
endpoints: [{addresses: [192.0.2.1], nodeName: a}]
";

/// An API server that answers on a thread until it is stopped or dropped.
struct Answering {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<Result<()>>>,
}

impl Answering {
    fn start(server: &Server, listener: TcpListener) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let server = server.clone();
        listener.set_nonblocking(true)?;
        let answer = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                end = server.listen(listener) => end?,
                _ = stopped => {}
            }
            Ok(())
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // All connections end with the runtime.
        let thread = thread::spawn(move || runtime.block_on(answer));
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _has_panicked = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// The objects of a manifest as an API server has them.
fn objects(manifest: &str) -> Result<Vec<Value>> {
    let parsed = parse_file("objects.yaml", manifest);
    ensure!(parsed.problems.is_empty(), "{:?}", parsed.problems);
    let values = parsed.objects.iter().map(|found| match &found.object.resource {
        k8s::Resource::Service(service) => serde_json::to_value(service),
        k8s::Resource::EndpointSlice(slice) => serde_json::to_value(slice),
        k8s::Resource::Endpoints(endpoints) => serde_json::to_value(endpoints),
        k8s::Resource::Node(node) => serde_json::to_value(node),
        k8s::Resource::ServiceCidr(cidr) => serde_json::to_value(cidr),
        k8s::Resource::NetworkPolicy(policy) => serde_json::to_value(policy),
    });
    Ok(values.collect::<Result<_, _>>()?)
}

/// What an agent has made of the objects: what is served, how full the tables are, devices and hooks.
fn outcome(host: &Host) -> Result<(String, Value)> {
    let status = host.status()?;
    let maps = status["maps"].as_array().into_iter().flatten();
    let tables = ["services", "slots", "backends", "networks", "links"];
    let maps = maps.filter(|map| tables.iter().any(|name| map["name"] == *name));
    let maps: Value = maps.map(|map| json!([map["name"], map["used"]])).collect();
    let node = json!([maps, status["devices"], status["addresses"], hooks_of(&status, "eth0")]);
    Ok((host.waggle("service list")?.stdout, node))
}

/// What an agent makes of the same objects as files.
fn outcome_of_files() -> Result<(String, Value)> {
    let host = Host::start()?;
    host.write("echo.yaml", ECHO)?;
    let _agent = host.agent("{}")?;
    outcome(&host)
}

/// What a process of the host gets from the Service that is at a port of the host.
fn connect(host: &Host, port: u16) -> Result<Answer> {
    let _listener = host.listen(&format!("192.0.2.1:{port}"))?;
    host.run("timeout", &["10", "bash", "-c", "exec 3<>/dev/tcp/10.96.0.2/80"])
}

fn connected() -> Answer {
    Answer { is_success: true, stdout: String::new(), stderr: String::new() }
}

#[test]
fn an_api_server_counts_as_its_objects_in_files_and_serving_outlasts_it() -> Result<()> {
    let expected = outcome_of_files()?;
    let host = Host::start()?;
    let server = Server::default();
    for object in objects(&[NODES, SERVICES, ECHO].join("---"))? {
        server.put(object);
    }
    let answering = Answering::start(&server, host.listen(ADDRESS)?)?;
    let address = format!("http://{ADDRESS}");
    fs::write(host.path("kubeconfig"), kubeconfig(&address))?;
    let _agent = host.agent_from("--kubeconfig", "kubeconfig", "{}")?;
    let status = host.wait_until(|status| status["healthy"] == true)?;
    assert_eq!((&status["agent"]["source"], outcome(&host)?), (&json!(address), expected.clone()));
    assert_eq!(connect(&host, 8080)?, connected());

    drop(answering);
    let cause = format!("API server {address} cannot be reached for ");
    let is_named = |status: &Value| problems(status).iter().any(|told| told.starts_with(&cause));
    let gone = host.wait_until(is_named)?;
    assert_eq!((&gone["healthy"], outcome(&host)?), (&json!(false), expected));
    assert_eq!(connect(&host, 8080)?, connected());

    objects(&ECHO.replace("8080", "9090"))?.into_iter().for_each(|object| server.put(object));
    server.remove(Resource::Services, "shop/cart");
    let _answering = Answering::start(&server, host.listen(ADDRESS)?)?;
    let lists = |word| host.waggle("service list").is_ok_and(|list| list.stdout.contains(word));
    host.wait_until(|status| status["healthy"] == true && lists("9090") && !lists("cart"))?;
    assert_eq!(connect(&host, 9090)?, connected(), "{}", host.log()?);
    Ok(())
}

/// A start takes less than that.
const LONG: Duration = Duration::from_millis(900);

#[test]
fn an_agent_of_an_api_server_that_is_killed_at_random_moments_changes_nothing() -> Result<()> {
    let mut random = Random::announced()?;
    let host = Host::start()?;
    let server = Server::default();
    for object in objects(&[NODES, SERVICES, ECHO].join("---"))? {
        server.put(object);
    }
    let _answering = Answering::start(&server, host.listen(ADDRESS)?)?;
    fs::write(host.path("kubeconfig"), kubeconfig(&format!("http://{ADDRESS}")))?;
    let tables = || host.inside(|| Tables::of(&Pins::new(&host.path("bpf/waggle"))));
    host.agent_from("--kubeconfig", "kubeconfig", "{}")?.kill()?;
    let before = tables()?;
    for round in 0..rounds(3)? {
        let agent = host.begin_from("--kubeconfig", "kubeconfig", "{}")?;
        thread::sleep(random.time_below(LONG));
        agent.kill()?;
        assert_eq!(tables()?, before, "round {round}, after a start that was broken off");
        host.agent_from("--kubeconfig", "kubeconfig", "{}")?.kill()?;
        assert_eq!(tables()?, before, "round {round}, after a whole one");
    }
    Ok(())
}

/// Objects and messages of what is wrong.
fn problems(status: &Value) -> Vec<String> {
    let told = status["problems"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    told.map(|told| format!("{} {}", text(&told["object"]), text(&told["message"]))).collect()
}
