//! The servers over sockets, asked as a load balancer asks, and as somebody does who means harm.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane_common::abi::Family;
use waggle_agent::health::{Binds, Moment, Servers, Vitals, problems};
use waggle_agent::metrics::Metrics;
use waggle_agent::model::{HealthCheck, Name};
use waggle_agent::problem::Problem;

const PATIENCE: Duration = Duration::from_secs(10);
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

struct Asked {
    servers: Servers,
    vitals: Arc<Vitals>,
    binds: Binds,
}

/// Ports of loopback that are free in both families.
fn free<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn start(binds: Binds) -> Asked {
    let vitals = Arc::new(Vitals::new(Metrics::new().unwrap(), Duration::from_secs(60)));
    let servers = Servers::start(binds, Arc::clone(&vitals)).unwrap();
    servers.listen(LOOPBACK.into());
    Asked { servers, vitals, binds }
}

fn started() -> Asked {
    let [health, metrics] = free().map(|port| SocketAddr::new(LOOPBACK[0], port));
    let asked = start(Binds { health, metrics });
    wait_until("it answers", || TcpStream::connect(metrics).is_ok());
    asked
}

impl Asked {
    fn check(&self, port: u16, counts: [usize; 2]) {
        let local = [Family::V4, Family::V6].into_iter().zip(counts).collect();
        let checks = [(Name::new("shop", "cart"), HealthCheck { port, local })];
        self.servers.answer(&Arc::new(checks.into()));
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is answered to a request, with its date left out.
fn ask(at: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n"))
}

fn get(at: SocketAddr, path: &str) -> std::io::Result<String> {
    ask(at, &format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"))
}

#[test]
fn a_load_balancer_is_answered_to_the_byte_at_any_path_by_any_method() {
    let asked = started();
    let [port] = free();
    asked.check(port, [2, 0]);
    let well = "HTTP/1.1 200 OK\nContent-Type: application/json\n\
        X-Content-Type-Options: nosniff\nX-Load-Balancing-Endpoint-Weight: 2\n\
        Content-Length: 112\nConnection: close\n\n{\n\t\"service\": {\n\t\t\"namespace\": \"shop\",\n\
        \t\t\"name\": \"cart\"\n\t},\n\t\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": true\n}";
    let none = well
        .replace("200 OK", "503 Service Unavailable")
        .replace("Weight: 2", "Weight: 0")
        .replace("Endpoints\": 2", "Endpoints\": 0");
    let [four, six] = LOOPBACK.map(|ip| SocketAddr::new(ip, port));
    wait_until("it listens", || TcpStream::connect(four).is_ok());
    for (at, path, expected) in
        [(four, "/", well), (four, "/healthz?x=1", well), (six, "/healthz", &none)]
    {
        assert_eq!(get(at, path).unwrap(), expected, "{at}{path}");
    }
    let posted = ask(
        four,
        "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        Content-Length: 5\r\n\r\nhello",
    );
    assert_eq!(posted.unwrap(), well);
    let body = well.split("\n\n").next().unwrap();
    let head = ask(four, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(head.trim_end(), body);
}

#[test]
fn the_socket_of_a_service_follows_it() {
    let asked = started();
    let [first, second] = free();
    let at = |port| LOOPBACK.map(|ip| SocketAddr::new(ip, port));
    let status = |at: SocketAddr| Some(get(at, "/").ok()?.split(' ').nth(1)?.to_owned());
    asked.check(first, [1, 1]);
    let [four, six] = at(first);
    wait_until("it listens", || status(six).as_deref() == Some("200"));
    assert_eq!(status(four).as_deref(), Some("200"));
    asked.check(first, [0, 1]);
    wait_until("it has nobody", || status(four).as_deref() == Some("503"));
    assert_eq!(status(six).as_deref(), Some("200"));
    // A connection that is held does not keep the socket open.
    let _held = TcpStream::connect(four).unwrap();
    asked.check(second, [1, 1]);
    wait_until("it moves", || status(at(second)[1]).as_deref() == Some("200"));
    for gone in at(first) {
        assert_eq!(get(gone, "/").unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
    asked.servers.answer(&Arc::new(BTreeMap::new()));
    wait_until("it goes", || TcpStream::connect(at(second)[1]).is_err());
}

fn problem(object: &str, message: String) -> Problem {
    Problem::error(object, message)
}

#[test]
fn a_port_that_is_taken_is_told_and_had_as_soon_as_it_is_free() {
    let taken = LOOPBACK.map(|ip| TcpListener::bind((ip, 0)).unwrap());
    let [port, health] =
        [taken[0].local_addr().unwrap().port(), taken[1].local_addr().unwrap().port()];
    let [metrics] = free();
    let asked = start(Binds {
        health: SocketAddr::new(LOOPBACK[1], health),
        metrics: SocketAddr::new(LOOPBACK[0], metrics),
    });
    asked.check(port, [1, 1]);
    let cause = "Address already in use (os error 98); end what listens there or";
    let expected = vec![
        problem(
            "Service shop/cart",
            format!(
                "has a healthCheckNodePort that is not answered at 127.0.0.1:{port}: {cause} give \
                 the Service another; it is tried again and again"
            ),
        ),
        problem(
            "healthz",
            format!(
                "answers nobody at [::1]:{health}: {cause} choose another by \
                 --healthz-bind-address; it is tried again and again"
            ),
        ),
    ];
    wait_until("both are told", || problems(&asked.servers.failures()) == expected);
    // What can be opened is.
    assert!(get(SocketAddr::new(LOOPBACK[1], port), "/").unwrap().starts_with("HTTP/1.1 200"));
    drop(taken);
    wait_until("they are open", || asked.servers.failures().is_empty());
    assert!(get(SocketAddr::new(LOOPBACK[0], port), "/").unwrap().starts_with("HTTP/1.1 200"));
    assert!(get(asked.binds.health, "/livez").unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn who_holds_connections_without_asking_keeps_nobody_out() {
    let asked = started();
    let at = asked.binds.health;
    let mut held = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(at).unwrap();
        // Half of them send half a request.
        if number % 2 == 0 {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost").unwrap();
        }
        held.push(stream);
    }
    let began = Instant::now();
    for _ in 0..50 {
        assert!(get(at, "/livez").unwrap().starts_with("HTTP/1.1 200"));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // The first ones had to go.
    held[0].set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(held[0].read(&mut [0; 16]), Ok(0) | Err(_)));
}

#[test]
fn nonsense_is_refused_and_the_next_is_answered() {
    let asked = started();
    let at = asked.binds.health;
    let huge = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    for (name, request) in [
        ("huge", huge.as_str()),
        ("many", &many),
        ("no request", "\u{1}\u{2}\r\n\r\n"),
        ("old", "GET\r\n\r\n"),
    ] {
        // A server that does not read on may reset.
        let answer = ask(at, request).unwrap_or_default();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{name}: {answer}");
        assert!(get(at, "/livez").unwrap().starts_with("HTTP/1.1 200"), "{name}");
    }
}

#[test]
fn they_answer_while_the_agents_loop_is_stuck_in_a_write() {
    let asked = started();
    let now = Moment::now();
    let long_ago = now.steady.checked_sub(Duration::from_secs(61)).unwrap();
    let before = Moment { steady: long_ago, ..now };
    asked.vitals.updated(Family::V4, before);
    asked.vitals.queued(Family::V4, before);
    // Nothing runs on this thread but these questions.
    for (path, status) in [("/livez", "503"), ("/healthz", "503"), ("/nothing", "404")] {
        let answer = get(asked.binds.health, path).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
}
