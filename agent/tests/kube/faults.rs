//! Every fault of a server, at a list and at a watch: named, waited out, and made good.

use std::time::Duration;

use replay::{Answer, Piece, Resource, Verb};
use tokio::time::{Instant, timeout};
use waggle_agent::kube::Phase;

use super::cluster::{Cluster, block_on};
use super::objects::{service, shop};

const FORBIDDEN: &str = "services is forbidden: User \\\"system:node\\\" cannot list resource";

/// How everything begins that is compressed.
const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

const FIRST_EVENTS_END: &str = "{\"type\": \"BOOKMARK\", \"object\": {\"metadata\": \
    {\"resourceVersion\": \"1006\", \"annotations\": {\"k8s.io/initial-events-end\": \"true\"}}}}";

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

/// An answer, what is said of it (nothing of what passes by itself), and for how long it keeps
/// from going on, in seconds.
type Row = (&'static str, Vec<Answer>, &'static str, (u64, u64));

fn both() -> Vec<Row> {
    let page = b"404 page not found";
    vec![
        (
            "500",
            vec![Answer::refusal(500, "InternalError", "etcd is away")],
            "(500: etcd is away)",
            (0, 2),
        ),
        (
            "503 of a proxy",
            vec![Answer::Body { code: 503, retry_after: None, body: page.to_vec() }],
            "(503: 404 page",
            (0, 2),
        ),
        ("429", vec![Answer::busy("7")], "is too busy for services (429)", (7, 9)),
        (
            "three times 429",
            vec![Answer::busy("2"), Answer::busy("2"), Answer::busy("2")],
            "(429)",
            (6, 12),
        ),
        (
            "401",
            vec![Answer::refusal(401, "Unauthorized", "Unauthorized")],
            "does not know who asks for services (401: Unauthorized); renew",
            (0, 2),
        ),
        (
            "403",
            vec![Answer::refusal(403, "Forbidden", FORBIDDEN)],
            "grant the verbs get, list and watch on services, nodes and endpointslices.discovery",
            (0, 2),
        ),
        ("reset", vec![Answer::Reset], "cannot be reached for services: ", (0, 2)),
        ("silence", vec![Answer::Silence], "has not answered for services within 65 s", (65, 67)),
        ("ten faults", vec![Answer::Reset; 10], "cannot be reached for services: ", (60, 200)),
    ]
}

/// The time that a server asks for, and what it gets.
fn of_times() -> Vec<Row> {
    [
        ("at once", "0", (0, 2)),
        ("a minute", "60", (60, 62)),
        ("an hour", "3600", (60, 62)),
        ("for ever", "18446744073709551615", (60, 62)),
        ("longer than for ever", "99999999999999999999999", (0, 2)),
        ("negative", "-7", (0, 2)),
        ("a date", "Fri, 31 Dec 2100 23:59:59 GMT", (0, 2)),
        ("no number", "soon", (0, 2)),
        ("nothing", "", (0, 2)),
    ]
    .into_iter()
    .flat_map(|(name, time, times)| {
        let (retry_after, body) = (Some(time.to_owned()), b"down".to_vec());
        let down = Answer::Body { code: 503, retry_after, body };
        [
            (name, vec![Answer::busy(time)], "is too busy for services (429)", times),
            (name, vec![down], "refuses services (503: down)", times),
        ]
    })
    .collect()
}

fn of_lists() -> Vec<Row> {
    let half = text("{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [");
    let cut = Answer::Stream(vec![half.clone(), Piece::Cut]);
    let stalled = Answer::Stream(vec![half.clone(), Piece::Silence]);
    let expired = Answer::refusal(410, "Expired", "too old");
    [
        ("no JSON", Answer::body("<html>welcome</html>"), "what cannot be read: expected value", 0),
        ("compressed, unasked", Answer::body(GZIP), "what cannot be read: expected value", 0),
        ("no version", Answer::body("{\"items\": []}"), "without metadata.resourceVersion", 0),
        ("half a list", cut, "cannot be reached for services: ", 0),
        ("half a list, whole for HTTP", Answer::Stream(vec![half]), "EOF while parsing", 0),
        ("stalled list", stalled, "within 65 s", 65),
        ("410", expired, "has forgotten the version of services", 0),
    ]
    .map(|(name, answer, message, time)| (name, vec![answer], message, (time, time + 2)))
    .into()
}

fn error(code: u16) -> Answer {
    let status = format!("{{\"kind\": \"Status\", \"code\": {code}, \"message\": \"m\"}}");
    Answer::events([&*format!("{{\"type\": \"ERROR\", \"object\": {status}}}")])
}

fn of_watches() -> Vec<Row> {
    let half = Answer::Stream(vec![text("{\"type\": \"MODIFIED\", \"obj"), Piece::Cut]);
    vec![
        ("410", vec![Answer::refusal(410, "Expired", "too old")], "", (0, 2)),
        ("410 as an event", vec![error(410)], "", (0, 2)),
        ("410 again and again", vec![error(410); 4], "", (0, 2)),
        ("500 as an event", vec![error(500)], "(500: m)", (0, 2)),
        ("unknown code as an event", vec![error(999)], "(999: m)", (0, 2)),
        ("half an event", vec![half], "", (0, 2)),
        ("ended at once", vec![Answer::Stream(vec![])], "", (0, 2)),
        ("ended at once, 4 times", vec![Answer::Stream(vec![]); 4], "", (3, 9)),
        ("end of the first events", vec![Answer::events([FIRST_EVENTS_END])], "", (0, 2)),
    ]
}

/// What a watch says that is no event, and what is said of that.
fn of_lines() -> Vec<Row> {
    let compressed = vec![Piece::Bytes(GZIP), text("\n")];
    let endless = vec![text(&"x".repeat(1 << 20)); 17];
    [
        ("no JSON", vec![text("welcome\n")], "what cannot be read: expected value"),
        (
            "unknown type",
            vec![text("{\"type\": \"X\", \"object\": {}}\n")],
            "an event of type \"X\"",
        ),
        (
            "an error without a code",
            vec![text("{\"type\": \"ERROR\", \"object\": {}}\n")],
            "what cannot be read: an event ERROR: missing field `code`",
        ),
        ("without an end", endless, "an event of more than 16777216 bytes"),
        ("compressed", compressed, "what cannot be read: expected value"),
    ]
    .map(|(name, pieces, message)| (name, vec![Answer::Stream(pieces)], message, (0, 2)))
    .into()
}

#[test]
fn every_fault_of_a_list_is_named_and_waited_out() {
    for (name, answers, message, (least, most)) in
        both().into_iter().chain(of_times()).chain(of_lists())
    {
        block_on(async {
            let mut cluster = Cluster::of(&shop());
            for answer in answers {
                cluster.server.fault(Resource::Services, Verb::List, answer);
            }
            let since = Instant::now();
            let problems = cluster.until_well().await;
            let [problem] = &problems[..] else { panic!("{name}: {problems:?}") };
            assert!(problem.contains(message), "{name}: {problem}");
            assert!(problem.ends_with("asked again; what was known stays"), "{problem}");
            cluster.until_like(&shop()).await;
            check_time(name, since, least, most);
        });
    }
}

#[test]
fn every_fault_of_a_watch_is_named_and_loses_no_change() {
    for (name, answers, message, (least, most)) in
        both().into_iter().chain(of_times()).chain(of_watches()).chain(of_lines())
    {
        block_on(async {
            let mut cluster = Cluster::of(&shop());
            for answer in answers {
                cluster.server.fault(Resource::Services, Verb::Watch, answer);
            }
            let since = Instant::now();
            cluster.until(|it| it.node.report.complete).await;
            cluster.server.remove(Resource::Services, "shop/till");
            cluster.server.put(service("cart", "10.96.0.9"));
            let mut expected = shop();
            expected[0] = service("cart", "10.96.0.9");
            expected.remove(2);
            let problems = cluster.until_like(&expected).await;
            check_time(name, since, least, most);
            let is_named = problems.iter().all(|problem| problem.contains(message));
            assert!(is_named && problems.is_empty() == message.is_empty(), "{name}: {problems:?}");
        });
    }
}

fn check_time(name: &str, since: Instant, least: u64, most: u64) {
    let range = Duration::from_secs(least)..Duration::from_secs(most);
    assert!(range.contains(&since.elapsed()), "{name}: {:?}", since.elapsed());
}

#[test]
fn a_page_that_expired_is_replaced_by_a_list_in_one_piece() {
    block_on(async {
        let mut objects = shop();
        objects.extend((0..600).map(|number| {
            service(&format!("s{number}"), &format!("10.97.{}.{}", number / 200, number % 200))
        }));
        let mut cluster = Cluster::of(&objects);
        // The first page is as it would be; the second has expired.
        let first =
            "{\"metadata\": {\"resourceVersion\": \"9\", \"continue\": \"t\"}, \"items\": []}";
        cluster.server.fault(Resource::Services, Verb::List, Answer::body(first));
        let expired = Answer::refusal(410, "Expired", "the continue token is too old");
        cluster.server.fault(Resource::Services, Verb::List, expired);
        assert_eq!(cluster.until_like(&objects).await, [""; 0]);
        let requests = cluster.server.take_requests();
        let lists = requests
            .iter()
            .filter(|query| (query.verb, query.resource) == (Verb::List, Resource::Services));
        let asked: Vec<_> =
            lists.map(|query| (query.get("limit"), query.get("continue"))).collect();
        assert_eq!(asked, [(Some("500"), None), (Some("500"), Some("t")), (None, None)]);
    });
}

#[test]
fn what_was_deleted_while_nobody_listened_is_gone_after_the_next_list() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        for key in ["shop/cart-x7k2p", "shop/till-x7k2p"] {
            cluster.server.remove(Resource::EndpointSlices, key);
        }
        cluster.server.remove(Resource::Services, "shop/till");
        cluster.server.remove(Resource::Nodes, "node-b");
        cluster.server.put(service("late", "10.96.0.8"));
        // What changed is told by lists alone.
        cluster.server.compact();
        let objects = shop();
        let expected = [objects[0].clone(), objects[4].clone(), service("late", "10.96.0.8")];
        assert_eq!(cluster.until_like(&expected).await, [""; 0]);
    });
}

#[test]
fn an_hour_without_the_server_changes_nothing_and_what_changed_meanwhile_comes_after_it() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        cluster.until_well().await;
        let before = cluster.outcome();
        for resource in Resource::ALL {
            for _ in 0..300 {
                cluster.server.fault(resource, Verb::List, Answer::Reset);
            }
        }
        // Watches end, and nothing is told by lists.
        cluster.server.compact();
        cluster.until(|it| !it.node.report.problems.is_empty()).await;
        cluster.server.remove(Resource::Services, "shop/till");
        let hour = Duration::from_secs(3600);
        let _elapsed = timeout(hour, cluster.until(|it| it.outcome() != before)).await;
        assert_eq!(cluster.outcome(), before);
        let problems = cluster.node.problems();
        assert!(problems.contains("cannot be reached for services"), "{problems}");
        let mut expected = shop();
        expected.remove(2);
        cluster.until_like(&expected).await;
    });
}

#[test]
fn what_was_known_is_served_and_followed_while_one_collection_fails() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        for _ in 0..50 {
            let refusal = Answer::refusal(403, "Forbidden", "nodes is forbidden");
            cluster.server.fault(Resource::Nodes, Verb::List, refusal);
        }
        let since = Instant::now();
        cluster.until(|it| it.node.report.listed).await;
        assert!(since.elapsed() < Duration::from_secs(12), "{:?}", since.elapsed());
        assert!(!cluster.node.report.complete);
        assert!(cluster.outcome().table.contains("10.1.1.2:8080"), "{:?}", cluster.outcome());
        cluster.server.put(service("cart", "10.96.0.9"));
        cluster.until(|it| it.outcome().table.contains("10.96.0.9")).await;
        let contacts = cluster.source.health().collections;
        let phases: Vec<_> = contacts.iter().map(|contact| contact.phase).collect();
        let well = Phase::Watching;
        assert_eq!(phases, [well, well, Phase::Failing, well, well]);
        let mut expected = shop();
        expected[0] = service("cart", "10.96.0.9");
        cluster.until_like(&expected).await;
        assert!(cluster.node.report.complete);
    });
}
