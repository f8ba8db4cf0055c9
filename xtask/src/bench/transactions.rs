//! Requests of one byte over TCP, by blocking sockets: what a client and a server on one processor
//! do in a window.
//!
//! Both are processes of their own in pods of the node, as workload is, and are started with hidden
//! verbs of this program.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use xtask::topology::{Node, Process};

use super::{
    calibration::{calibrate, wait_for_quiet},
    catalog::BACKEND_PORT,
    cpu,
    gate::Window,
    testbed::{Testbed, pod_arguments},
};

const SERVER: &str = "bench-server";
const CLIENT: &str = "bench-client";

/// How long a window is.
const LENGTH: Duration = Duration::from_millis(30);

/// What caches and windows of TCP take to be as they stay.
const WARM_UP: u32 = 50;

/// What one transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    /// A request and an answer on a connection that stays.
    Request,
    /// A connection with a request and an answer.
    Connection,
}

impl Transaction {
    fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Connection => "connection",
        }
    }
}

/// Runs a hidden verb if `arguments` name one.
pub(super) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [SERVER, cpu] => Some(serve(cpu)),
        [CLIENT, transaction, target, cpu, limit] => Some(ask(transaction, target, cpu, limit)),
        _ => None,
    }
}

/// Starts the server in a pod.
pub(super) fn start_server(node: &Node, pod: &str, cpu: usize) -> Result<Process> {
    let mut arguments = pod_arguments(pod, &this()?).to_vec();
    arguments.extend([SERVER.to_owned(), cpu.to_string()]);
    node.start_program(Path::new("nsenter"), &arguments, "server")
}

/// One window: transactions per second of a client in the testbed's client pod.
pub(super) fn window(
    testbed: &Testbed<'_>,
    transaction: Transaction,
    target: SocketAddrV4,
    cpu: usize,
    limit: u64,
) -> Result<Window> {
    let mut command = testbed.command(&this()?)?;
    command.args([CLIENT, transaction.word(), &target.to_string()]);
    let output = command.args([cpu.to_string(), limit.to_string()]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [before, after, count, nanoseconds] = numbers[..] else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{}: the client of {target}: {}", testbed.variant.name(), complaint.trim());
    };
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    Ok(Window { value: f64::from(u32::try_from(count)?) / seconds, before, after, is_whole: true })
}

fn this() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("finding this program")
}

/// Answers each byte with one, a connection after the other, and each datagram with another.
fn serve(cpu: &str) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, BACKEND_PORT))?;
    let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, BACKEND_PORT))?;
    thread::spawn(move || echo(&datagrams));
    cpu::claim(cpu.parse()?)?;
    for connection in listener.incoming() {
        // A client that goes away is no concern of the others.
        let _ = connection.and_then(answer);
    }
    Ok(())
}

fn echo(socket: &UdpSocket) {
    let mut datagram = [0; 64];
    loop {
        // An error here is an ICMP message about an earlier answer.
        if let Ok((length, client)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(&datagram[..length], client);
        }
    }
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut byte = [0];
    while connection.read(&mut byte)? == 1 {
        connection.write_all(&byte)?;
    }
    Ok(())
}

/// Waits for quiet, asks for a window's length and prints what came of it.
fn ask(transaction: &str, target: &str, cpu: &str, limit: &str) -> Result<()> {
    cpu::claim(cpu.parse()?)?;
    let (target, limit): (SocketAddrV4, u64) = (target.parse()?, limit.parse()?);
    let mut connection = connect(target)?;
    for _ in 0..WARM_UP {
        exchange(&mut connection)?;
    }
    let (before, (count, time), after);
    if transaction == Transaction::Request.word() {
        before = wait_for_quiet(limit);
        (count, time) = repeat(|| exchange(&mut connection))?;
        after = calibrate();
    } else {
        // The server serves one connection at a time.
        drop(connection);
        before = wait_for_quiet(limit);
        (count, time) = repeat(|| exchange(&mut connect(target)?))?;
        after = calibrate();
    }
    writeln!(io::stdout(), "{before} {after} {count} {}", time.as_nanos())?;
    Ok(())
}

fn connect(target: SocketAddrV4) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(target)?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

fn exchange(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(b"?")?;
    connection.read_exact(&mut [0])
}

fn repeat(mut transaction: impl FnMut() -> io::Result<()>) -> io::Result<(u32, Duration)> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < LENGTH {
        transaction()?;
        count += 1;
    }
    Ok((count, start.elapsed()))
}
