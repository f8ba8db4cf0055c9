//! An API server beside an agent, in a process of its own whose time and memory are not the agent's.
//!
//! The pages of its lists are there before it listens, so that an agent waits for none of them.

use std::{net::TcpStream, time::Duration};

use anyhow::{Context as _, Result, bail};
use replay::{Answer, Resource, Server, Verb, fleet};
use serde_json::Value;
use tokio::{net::TcpListener, runtime};
use xtask::topology::{Node, Process};

use super::{agent_start::SERVICES, transactions::this};
use crate::interrupt::Interrupt;

const VERB: &str = "bench-api-server";

/// Where it listens in the node.
pub(super) const ADDRESS: &str = "127.0.0.1:6443";

/// Endpoints of a Service.
const ENDPOINTS: u32 = 2;

/// Objects in a page, as many as agents ask for.
const PAGE: usize = 500;

/// Longest wait until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the hidden verb if `arguments` name it.
pub(super) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    (arguments == [VERB]).then(serve)
}

/// Starts it in a node, and waits until it listens.
pub(super) fn start(node: &Node, interrupt: &Interrupt) -> Result<Process> {
    let mut process = node.start_program(&this()?, &[VERB], "api-server")?;
    let start = std::time::Instant::now();
    while node.netns().run(|| TcpStream::connect(ADDRESS))?.is_err() {
        interrupt.pause(Duration::from_millis(50))?;
        if start.elapsed() > PATIENCE || !process.is_running() {
            bail!("the API server does not listen: {}", process.log_tail());
        }
    }
    Ok(process)
}

fn serve() -> Result<()> {
    let server = Server::default();
    let objects: Vec<Value> = fleet(u32::try_from(SERVICES)?, ENDPOINTS).collect();
    let of = |resource: Resource| -> Vec<&Value> {
        objects.iter().filter(|object| object["kind"] == resource.kind()).collect()
    };
    for node in of(Resource::Nodes) {
        server.put(node.clone());
    }
    for resource in [Resource::Services, Resource::EndpointSlices] {
        for page in pages(resource, &of(resource)) {
            server.fault(resource, Verb::List, Answer::body(page));
        }
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        server.listen(TcpListener::bind(ADDRESS).await?).await.context("answering the agent")
    })
}

/// A list as an agent asks for it, page after page.
fn pages(resource: Resource, objects: &[&Value]) -> Vec<String> {
    let (kind, version) = (resource.kind(), resource.api_version());
    let count = objects.len().div_ceil(PAGE);
    let page = |(number, items): (usize, &[&Value])| {
        let next = if number + 1 < count { (number + 1).to_string() } else { String::new() };
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        format!(
            "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":\
             {{\"resourceVersion\":\"1000\",\"continue\":\"{next}\"}},\"items\":[{}]}}",
            items.join(",")
        )
    };
    objects.chunks(PAGE).enumerate().map(page).collect()
}

#[cfg(test)]
mod tests {
    use replay::{Resource, fleet};
    use serde_json::Value;

    use super::pages;

    #[test]
    fn each_page_but_the_last_says_how_it_goes_on() {
        let objects: Vec<Value> = fleet(1001, 2).collect();
        let services: Vec<&Value> =
            objects.iter().filter(|object| object["kind"] == "Service").collect();
        let found: Vec<(usize, Value)> = pages(Resource::Services, &services)
            .iter()
            .map(|page| serde_json::from_str::<Value>(page).unwrap())
            .map(|page| {
                let items = page["items"].as_array().unwrap().len();
                (items, page["metadata"]["continue"].clone())
            })
            .collect();
        assert_eq!(found, [(500, "1".into()), (500, "2".into()), (1, "".into())]);
    }
}
