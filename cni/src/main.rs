//! The plugin's process: reads the request, prints the answer, exits. Nothing but the answer ever
//! reaches standard output.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use waggle_cni::{Environment, Outcome, answer};

fn main() -> ExitCode {
    match answer(Environment::of_process(), input) {
        Outcome::Success(None) => ExitCode::SUCCESS,
        Outcome::Success(Some(result)) => print(&format!("{result}\n"), ExitCode::SUCCESS),
        Outcome::Failure(error) => print(&format!("{error}\n"), ExitCode::FAILURE),
        Outcome::About(text) => {
            let _: io::Result<()> = writeln!(io::stderr(), "{text}");
            ExitCode::SUCCESS
        }
    }
}

fn input() -> Vec<u8> {
    let mut bytes = Vec::new();
    // What is cut short is no JSON, and is refused as such.
    let _: io::Result<usize> = io::stdin().read_to_end(&mut bytes);
    bytes
}

fn print(text: &str, code: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
