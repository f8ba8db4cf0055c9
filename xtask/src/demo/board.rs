//! The live table: who answered how often.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    net::IpAddr,
    time::{Duration, Instant},
};

use xtask::workload::Answer;

use super::report::print;

/// A terminal that is redrawn more often only flickers.
const FRAME: Duration = Duration::from_millis(80);

/// Rows of counts with one column for each server.
#[derive(Debug)]
pub(super) struct Board {
    servers: Vec<Server>,
    title: &'static str,
    rows: Vec<Row>,
    mode: Mode,
    /// Lines below the cursor's place that the last drawing took.
    drawn: usize,
    last: Instant,
}

/// A column: a pod and where it is.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) pod: String,
    pub(super) node: String,
}

/// One kind of request.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Its label.
    pub(super) what: String,
    /// Answers by server.
    pub(super) answers: BTreeMap<String, u32>,
    /// Whom the servers saw.
    pub(super) clients: BTreeSet<IpAddr>,
    failed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Rows change in place.
    Terminal,
    /// Rows are printed when they are complete.
    Plain,
    Silent,
}

impl Row {
    /// Requests that were answered.
    pub(super) fn answered(&self) -> u32 {
        self.answers.values().sum()
    }
}

impl Board {
    pub(super) fn new(servers: &[Server], for_people: bool) -> Self {
        let mode = match (for_people, io::stdout().is_terminal()) {
            (true, true) => Mode::Terminal,
            (true, false) => Mode::Plain,
            (false, _) => Mode::Silent,
        };
        let (servers, title, rows) = (servers.to_vec(), "", Vec::new());
        Self { servers, title, rows, mode, drawn: 0, last: Instant::now() }
    }

    /// Begins a table of these rows.
    pub(super) fn begin(&mut self, title: &'static str, whats: impl IntoIterator<Item = String>) {
        self.title = title;
        self.rows = whats.into_iter().map(|what| Row { what, ..Row::default() }).collect();
        self.drawn = 0;
        if self.mode == Mode::Terminal {
            self.draw();
        }
    }

    /// Counts a request in a row: who answered, if anybody did.
    pub(super) fn count(&mut self, row: usize, answer: Option<&Answer>) {
        match (self.rows.get_mut(row), answer) {
            (Some(row), Some(Answer { server, client })) => {
                *row.answers.entry(server.clone()).or_default() += 1;
                row.clients.insert(client.ip());
            }
            (Some(row), None) => row.failed += 1,
            (None, _) => {}
        }
        if self.mode == Mode::Terminal && self.last.elapsed() >= FRAME {
            self.draw();
        }
    }

    /// Ends the table and hands out its rows.
    pub(super) fn end(&mut self) -> Vec<Row> {
        match self.mode {
            Mode::Terminal => self.draw(),
            Mode::Plain => print(self.text().trim_end()),
            Mode::Silent => {}
        }
        std::mem::take(&mut self.rows)
    }

    fn draw(&mut self) {
        let text = self.text();
        let mut frame = String::new();
        if self.drawn > 0 {
            // Up to where the table began; each line is cleared before it is written again.
            let _ = write!(frame, "\x1b[{}A", self.drawn);
        }
        for line in text.lines() {
            let _ = writeln!(frame, "\x1b[2K{line}");
        }
        self.drawn = text.lines().count();
        self.last = Instant::now();
        let mut stdout = io::stdout();
        // A closed terminal is told by a signal.
        let _ = stdout.write_all(frame.as_bytes()).and_then(|()| stdout.flush());
    }

    fn text(&self) -> String {
        let column = |text: &mut String, cell: &str| *text += &format!("{cell:>8}");
        let mut text = format!("\n  {:<47}", self.title);
        self.servers.iter().for_each(|server| column(&mut text, &server.node));
        let _ = write!(text, "\n  {:<32}{:>7}{:>8}", "", "asked", "failed");
        self.servers.iter().for_each(|server| column(&mut text, &server.pod));
        for Row { what, answers, failed, clients: _ } in &self.rows {
            let asked = answers.values().sum::<u32>() + failed;
            let _ = write!(text, "\n  {what:<32}{asked:>7}{failed:>8}");
            for Server { pod, .. } in &self.servers {
                let count = answers.get(pod).map_or("·".to_owned(), u32::to_string);
                column(&mut text, &count);
            }
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Board, Server};

    #[test]
    fn counts_stand_below_the_pod_that_answered() {
        let server = |pod: &str, node: &str| Server { pod: pod.to_owned(), node: node.to_owned() };
        let mut board = Board::new(&[server("web-1", "node-a"), server("web-2", "node-b")], false);
        board.begin("two pods", ["web TCP".to_owned(), "web UDP".to_owned()]);
        for (row, answer) in [(0, Some("web-1")), (0, Some("web-1")), (1, None), (7, None)] {
            let client = "10.244.1.2:40000".parse().unwrap();
            let answer = answer.map(|server| Answer { server: server.to_owned(), client });
            board.count(row, answer.as_ref());
        }
        assert_eq!(
            board.text(),
            "
  two pods                                         node-a  node-b
                                    asked  failed   web-1   web-2
  web TCP                               2       0       2       ·
  web UDP                               1       1       ·       ·
"
        );
    }
}
