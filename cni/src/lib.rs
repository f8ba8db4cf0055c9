//! The CNI plugin: wires a pod to its node.
//!
//! ```text
//! protocol ── Request ──> add, del, check, gc, status
//!                           |── leases ──> ipam
//!                           |── links, addresses, routes ──> wiring ──> hostnet
//!                           '── programs, the map of pods ──> datapath ──> pins of the agent
//! ```
//! A runtime may kill the plugin at any instruction, and may never call DEL. So the order of work
//! is what keeps the node right: an address is reserved before anything has it, and released after
//! everything that had it is gone. All names follow from the request.

mod add;
mod border;
mod check;
mod datapath;
mod del;
mod gc;
mod host_ports;
mod ipam;
mod journal;
mod name;
mod node;
mod plugin;
mod promise;
mod protocol;
mod status;
mod watchdog;
mod wiring;

use std::io::Write as _;
use std::time::{Duration, Instant};

use hostnet::Cause;
use jiff::Timestamp;
use serde_json::{Value, json};

use add::Add;
use journal::{Entry, Journal};
use node::Node;
use plugin::Plugin;
use protocol::{Code, Error, NetConf, Request, Version};

pub use protocol::Environment;

/// The version that is answered with when a request does not say its own.
const DEFAULT_VERSION: Version = Version::V1_0_0;

/// How long STATUS may take; runtimes are promised two seconds. Some set no limit and hold up all
/// pods of the node meanwhile, so nothing that hangs may keep the answer back.
const PATIENCE: Duration = Duration::from_secs(1);

/// What to do at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Print this to standard output, nothing when it is none, and exit with 0.
    Success(Option<Value>),
    /// Print this to standard output and exit with 1.
    Failure(Value),
    /// Print this to standard error, for a person, and exit with 0.
    About(String),
}

/// Answers one request, whose standard input is read only where the verb has one.
#[must_use]
pub fn answer(
    environment: Environment,
    read_input: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Outcome {
    match environment.get("CNI_COMMAND") {
        None => Outcome::About(about()),
        Some("VERSION") => Outcome::Success(Some(versions())),
        Some("STATUS") => {
            let work = move || answer_input(&environment, &read_input());
            watchdog::within(PATIENCE, work).unwrap_or_else(late)
        }
        Some(_) => answer_input(&environment, &read_input()),
    }
}

fn late() -> Outcome {
    let message = "the node did not say in time whether it is ready";
    let error = Error::new(Code::Unavailable, message).details(format!(
        "after {} s: standard input is not closed, or a file system hangs",
        PATIENCE.as_secs()
    ));
    Outcome::Failure(error.to_json(Version::V1_1_0.as_str()))
}

fn answer_input(environment: &Environment, input: &[u8]) -> Outcome {
    let start = Instant::now();
    let result = Request::parse(environment, input)
        .and_then(|request| request.map_or(Ok(None), |request| perform(request, environment)));
    let time = Timestamp::now();
    note(
        input,
        &Entry {
            time,
            id: journal::id(time),
            environment,
            took: start.elapsed(),
            failure: result.as_ref().err(),
        },
    );
    match result {
        Ok(result) => Outcome::Success(result),
        Err(error) => {
            let version = NetConf::version_of(input);
            let version = version.as_deref().unwrap_or(DEFAULT_VERSION.as_str());
            Outcome::Failure(error.to_json(version))
        }
    }
}

/// Runtimes ask every few seconds whether all is well, which it is: that would drive out of the log
/// what a person looks for.
fn note(input: &[u8], entry: &Entry<'_>) {
    let is_routine = entry.environment.get("CNI_COMMAND") == Some("STATUS");
    if is_routine && entry.failure.is_none() {
        return;
    }
    let written = Journal::of(input).map_or(Ok(()), |journal| journal.write(entry));
    if let Err(error) = written {
        log(&format!("this is in no log ({}): {entry}", Cause::from(error)));
    }
}

fn perform(request: Request, environment: &Environment) -> Result<Option<Value>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime =
        runtime.map_err(|error| Error::new(Code::Io, format!("failed to start: {error}")))?;
    runtime.block_on(dispatch(request, environment))
}

async fn dispatch(request: Request, environment: &Environment) -> Result<Option<Value>, Error> {
    match request {
        Request::Add { config, attachment, namespace, pod, wishes } => {
            let plugin = Plugin::new(&config)?;
            let node = Node::read(&config.run_dir, &plugin.boot_id)?;
            let namespace = add::open_namespace(&namespace, environment.may_be_own_namespace())?;
            let add = Add {
                plugin: &plugin,
                attachment: &attachment,
                pod: &pod,
                namespace: &namespace,
                node: &node,
                wishes: &wishes,
            };
            add.run().await.map(Some)
        }
        Request::Del { config, attachment } => {
            del::run(&Plugin::new(&config)?, &attachment).await.map(|()| None)
        }
        Request::Check { config, attachment, namespace } => {
            let namespace = add::open_namespace(&namespace, environment.may_be_own_namespace())?;
            check::run(&Plugin::new(&config)?, &attachment, &namespace).await.map(|()| None)
        }
        Request::Gc { config, valid } => {
            gc::run(&Plugin::new(&config)?, valid.as_deref()).await.map(|()| None)
        }
        Request::Status { config } => status::run(&Plugin::new(&config)?).map(|()| None),
        Request::Version => Ok(Some(versions())),
    }
}

fn versions() -> Value {
    let supported = Version::ALL.map(Version::as_str);
    json!({ "cniVersion": Version::V1_1_0.as_str(), "supportedVersions": supported })
}

fn about() -> String {
    let supported = Version::ALL.map(Version::as_str).join(", ");
    format!(
        "waggle-cni {}: connects pods to this node; called by the container runtime.\n\
         CNI protocol versions supported: {supported}",
        env!("CARGO_PKG_VERSION"),
    )
}

/// Writes a line for people. Nothing is lost when nobody reads it.
fn log(text: &str) {
    let _: std::io::Result<()> = writeln!(std::io::stderr(), "waggle-cni: {text}");
}
