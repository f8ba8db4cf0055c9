//! Files in, tables out: each file of `scenarios/` is a story in steps.
//!
//! ```text
//! # What it is about.
//! === 1 write web.yaml        the file appears or changes
//! === 2 frontends             expected: what shall be served
//! === 3 maps                  expected: every entry of the maps
//! === 4 problems              expected: what is wrong
//! === 5 remove web.yaml       the file goes
//! === 6 restart               another agent takes over the maps
//! === 7 writes                expected: how many elements the last step wrote
//! === 8 wait 3                seconds pass
//! === 9 node-ports            expected: the lowest and the highest
//! === 10 policies             expected: the NetworkPolicies that there are
//! === 11 keep local           the next agent has keepClientIP: local
//! === 12 hold 10.96.0.10      devices of this node come to hold these addresses, and no others
//! ```
//! Files that are written one after the other, without another step between, have different names.
//!
//! Every story is told four times: as it stands; with files that arrive together in the opposite
//! order; with a restart before each expectation; and with maps of which one operation in ten
//! fails. Expected identifiers hold for the first, expected effects for all.
//! `BLESS=1 cargo test -p waggle-agent --test scenarios` writes down what comes out.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::support::node::Node;
use crate::support::view;
use crate::support::watched::WatchedMaps;
use waggle_agent::config::KeepClientIp;

/// A step: its title, as in `write web.yaml`, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    title: String,
    body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    AsItStands,
    Reversed,
    Restarting,
    Faulty(u64),
}

/// What came out at an expectation: its text, and the effect of the maps.
type Outcome = (String, String);

#[test]
fn every_story_ends_as_it_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{} holds the stories", folder.display());
    let failures: Vec<_> = paths.iter().flat_map(|path| check(path)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (title, steps) = parse(&text);
    let as_it_stands = tell(&steps, Telling::AsItStands);
    let mut failures = Vec::new();
    let blessed = std::env::var_os("BLESS").is_some();
    let mut told = steps.clone();
    for (step, (found, _)) in expectations(&mut told).zip(&as_it_stands) {
        if step.body != *found && !blessed {
            let (name, expected) = (path.display(), &step.body);
            failures.push(format!(
                "{name}, {}:\n--- expected\n{expected}--- found\n{found}",
                step.title
            ));
        }
        step.body.clone_from(found);
    }
    if blessed {
        std::fs::write(path, print(&title, &told)).unwrap();
    }
    let faulty = (0..10).map(Telling::Faulty);
    for telling in [Telling::Reversed, Telling::Restarting].into_iter().chain(faulty) {
        let outcomes = tell(&steps, telling);
        for ((step, expected), found) in expectations(&mut told).zip(&as_it_stands).zip(&outcomes) {
            let is_effect = step.title.contains("maps") || step.title.contains("writes");
            if expected.1 != found.1 || (!is_effect && expected.0 != found.0) {
                let name = path.display();
                failures.push(format!(
                    "{name}, {telling:?}, {}:\n--- as it stands\n{}{}--- so told\n{}{}",
                    step.title, expected.0, expected.1, found.0, found.1
                ));
            }
        }
    }
    failures
}

fn tell(steps: &[Step], telling: Telling) -> Vec<Outcome> {
    let mut node = match telling {
        Telling::Faulty(seed) => Node::faulty(seed),
        Telling::AsItStands | Telling::Reversed | Telling::Restarting => {
            Node::new(WatchedMaps::default())
        }
    };
    let mut outcomes = Vec::new();
    let mut groups: Vec<&[Step]> = steps.chunk_by(|a, b| is_write(a) && is_write(b)).collect();
    for group in &mut groups {
        let mut group: Vec<_> = group.iter().collect();
        if telling == Telling::Reversed {
            group.reverse();
        }
        for step in group {
            if telling == Telling::Restarting && is_expectation(step) && !node.is_broken() {
                node.restart();
                assert_eq!(node.report.writes, 0, "{}: a restart writes nothing", step.title);
            }
            outcomes.extend(act(&mut node, step));
            if matches!(telling, Telling::Faulty(_)) {
                node.settle();
            }
        }
    }
    outcomes
}

fn act(node: &mut Node, step: &Step) -> Option<Outcome> {
    let mut words = step.title.split_whitespace().skip(1);
    let (verb, object) = (words.next().unwrap(), words.next().unwrap_or_default());
    match verb {
        "write" => node.write(object, &step.body),
        "remove" => node.remove(object),
        "restart" => node.restart(),
        "keep" if object == "local" => node.keep_client_ip = KeepClientIp::Local,
        "keep" => node.keep_client_ip = KeepClientIp::None,
        "hold" => node.hold(std::iter::once(object).chain(words).map(|ip| ip.parse().unwrap())),
        "wait" => node.now += Duration::from_secs(object.parse().unwrap()),
        "frontends" | "maps" | "problems" | "writes" | "node-ports" | "policies" => {
            return Some((found(node, verb), view::effect(&node.maps.inner().fake)));
        }
        other => panic!("{other}: no such step"),
    }
    None
}

fn found(node: &Node, verb: &str) -> String {
    let maps = &node.maps.inner().fake;
    match verb {
        "frontends" => view::table(&node.engine),
        "maps" => waggle_agent::maps::dump::dump(maps).unwrap(),
        "problems" => node.problems(),
        "node-ports" => match node.engine.node_port_range() {
            Some((first, last)) => format!("{first}-{last}\n"),
            None => "none\n".to_owned(),
        },
        "policies" => {
            node.engine.network_policies().iter().map(|name| format!("{name}\n")).collect()
        }
        _ => format!("{}\n", node.report.writes),
    }
}

fn is_write(step: &Step) -> bool {
    step.title.contains(" write ")
}

fn is_expectation(step: &Step) -> bool {
    let verbs = ["frontends", "maps", "problems", "writes", "node-ports", "policies"];
    verbs.iter().any(|verb| step.title.split(' ').nth(1) == Some(verb))
}

fn expectations(steps: &mut [Step]) -> impl Iterator<Item = &mut Step> {
    steps.iter_mut().filter(|step| is_expectation(step))
}

fn parse(text: &str) -> (String, Vec<Step>) {
    let mut parts = text.split("=== ");
    let title = parts.next().unwrap().to_owned();
    let steps = parts.map(|part| {
        let (title, body) = part.split_once('\n').unwrap();
        Step { title: title.to_owned(), body: body.to_owned() }
    });
    (title, steps.collect())
}

fn print(title: &str, steps: &[Step]) -> String {
    let mut text = title.to_owned();
    for Step { title, body } in steps {
        write!(text, "=== {title}\n{body}").unwrap();
    }
    text
}
