//! Requests of one byte over TCP, by blocking sockets: what a client and a server on one processor
//! do in a window.
//!
//! Both are processes of their own in pods of the node, as workload is, and are started with hidden
//! verbs of this program.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use xtask::topology::{Node, Process};

use super::{
    calibration::calibrate,
    catalog::BACKEND_PORT,
    cpu,
    gate::Window,
    testbed::{Testbed, pod_arguments},
};

const SERVER: &str = "bench-server";
const CLIENT: &str = "bench-client";

/// How long a window is.
const LENGTH: Duration = Duration::from_millis(8);

/// Transactions just before a window, so that caches are not those of another node.
const WARM_UP: u32 = 10;

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
        [CLIENT, transaction, target, cpu] => Some(ask(transaction, target, cpu)),
        _ => None,
    }
}

/// Starts the server in a pod.
pub(super) fn start_server(node: &Node, pod: &str, cpu: usize) -> Result<Process> {
    let mut arguments = pod_arguments(pod, &this()?).to_vec();
    arguments.extend([SERVER.to_owned(), cpu.to_string()]);
    node.start_program(Path::new("nsenter"), &arguments, "server")
}

/// A client in a testbed's client pod, which measures a window for each line that it is told.
pub(super) struct Client {
    target: SocketAddrV4,
    process: Child,
    /// Closed, to end it.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Client {
    /// Starts it.
    pub(super) fn start(
        testbed: &Testbed<'_>,
        transaction: Transaction,
        target: SocketAddrV4,
        cpu: usize,
    ) -> Result<Self> {
        let mut command = testbed.command(&this()?)?;
        command.args([CLIENT, transaction.word(), &target.to_string(), &cpu.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().context("a client without output")?;
        Ok(Self { target, process, orders, answers: BufReader::new(answers) })
    }

    /// One window: transactions per second.
    pub(super) fn window(&mut self) -> Result<Window> {
        let ended = || format!("the client of {} ended; what it says is above", self.target);
        let mut said = String::new();
        self.orders.as_ref().map_or(Ok(()), |mut orders| writeln!(orders)).with_context(ended)?;
        self.answers.read_line(&mut said)?;
        let numbers: Vec<u64> =
            said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [before, after, count, nanoseconds] = numbers[..] else { bail!(ended()) };
        let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
        let value = f64::from(u32::try_from(count)?) / seconds;
        Ok(Window::whole(value, before, after))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Whether it ended well was seen with its last window.
        let _ = self.process.wait();
    }
}

/// This program, whose hidden verbs are started.
pub(super) fn this() -> Result<std::path::PathBuf> {
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

/// Asks for a window's length, for each line that it reads, and prints what came of it.
fn ask(transaction: &str, target: &str, cpu: &str) -> Result<()> {
    cpu::claim(cpu.parse()?)?;
    let target: SocketAddrV4 = target.parse()?;
    if transaction == Transaction::Request.word() {
        let mut connection = connect(target)?;
        return answer_orders(|| exchange(&mut connection));
    }
    answer_orders(|| exchange(&mut connect(target)?))
}

fn answer_orders(mut transaction: impl FnMut() -> io::Result<()>) -> Result<()> {
    for order in io::stdin().lines() {
        order?;
        for _ in 0..WARM_UP {
            transaction()?;
        }
        let before = calibrate();
        let (count, time) = repeat(&mut transaction)?;
        let after = calibrate();
        writeln!(io::stdout(), "{before} {after} {count} {}", time.as_nanos())?;
    }
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
