//! Calls of the plugin's binary.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// A request in the making.
#[derive(Clone, Debug)]
pub(super) struct Call {
    environment: Vec<(&'static str, String)>,
    input: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// It succeeded, with or without a result.
    Done(Option<Value>),
    /// It failed.
    Failed { code: u64, text: String },
}

impl Call {
    /// A request of a verb with nothing else.
    pub(super) fn bare(verb: &str) -> Self {
        let path = folder().display().to_string();
        let environment = vec![("CNI_COMMAND", verb.to_owned()), ("CNI_PATH", path)];
        Self { environment, input: String::new() }
    }

    /// Sets a variable.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    /// Sets standard input.
    pub(super) fn input(self, input: &Value) -> Self {
        Self { input: input.to_string(), ..self }
    }

    /// Makes the call in the calling thread's namespaces.
    pub(super) fn make(self) -> Result<Said> {
        self.make_of(&mut Command::new(program()?))
    }

    /// The same with the plugin of somebody else.
    pub(super) fn make_of(self, plugin: &mut Command) -> Result<Said> {
        let output = self.start(plugin)?.wait_with_output()?;
        let said = String::from_utf8(output.stdout)?;
        let json = if said.is_empty() { None } else { Some(serde_json::from_str(&said)?) };
        if output.status.success() {
            return Ok(Said::Done(json));
        }
        let json: Value = json.with_context(|| format!("{} without a word", output.status))?;
        let field = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let text = [field("msg"), field("details")].join(": ");
        Ok(Said::Failed { code: json["code"].as_u64().context("no code")?, text })
    }

    /// Starts the call and kills it after a time; says whether it was too late for that.
    pub(super) fn kill_after(self, time: Duration) -> Result<bool> {
        let mut child = self.start(&mut Command::new(program()?))?;
        thread::sleep(time);
        child.kill()?;
        Ok(child.wait()?.success())
    }

    /// Starts the call by a command, which is a plugin or runs one.
    pub(super) fn start(self, command: &mut Command) -> Result<Child> {
        command.env_clear().envs(self.environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child =
            command.spawn().with_context(|| command.get_program().display().to_string())?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        // VERSION does not read it, and then the pipe breaks.
        drop(stdin.write_all(self.input.as_bytes()));
        Ok(child)
    }
}

impl Said {
    /// The result of a success.
    pub(super) fn result(self) -> Result<Value> {
        match self {
            Self::Done(Some(result)) => Ok(result),
            other => bail!("expected a result, got {other:?}"),
        }
    }

    /// The code of a failure, 0 of a success.
    pub(super) fn code(&self) -> u64 {
        match self {
            Self::Done(_) => 0,
            Self::Failed { code, .. } => *code,
        }
    }
}

/// The plugin.
pub(super) fn program() -> Result<PathBuf> {
    let path = folder().join("waggle-cni");
    if !path.exists() {
        bail!("{} is not there: run this suite by `cargo xtask test cni`", path.display());
    }
    Ok(path)
}

/// Where `cargo xtask build` puts what it built.
pub(super) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")
}

fn folder() -> PathBuf {
    target().join("waggle")
}

#[test]
fn the_versions_are_named_without_a_word_of_input() -> Result<()> {
    let result = Call::bare("VERSION").make()?.result()?;
    let expected = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    assert_eq!(result["supportedVersions"], Value::from(expected.to_vec()));
    Ok(())
}

#[test]
fn a_person_who_calls_it_is_told_what_it_is() -> Result<()> {
    let output = Command::new(folder().join("waggle-cni")).env_clear().output()?;
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr)?.contains("CNI protocol versions supported"));
    Ok(())
}

#[test]
fn a_failure_names_the_version_of_its_request() -> Result<()> {
    let input = serde_json::json!({ "cniVersion": "0.4.0", "name": "bad/name" });
    let call = Call::bare("DEL").with("CNI_CONTAINERID", "a").with("CNI_IFNAME", "eth0");
    let said = call.input(&input).make()?;
    assert_eq!(said.code(), 7, "{said:?}");
    assert_eq!(Call::bare("UPDATE").make()?.code(), 4);
    Ok(())
}
