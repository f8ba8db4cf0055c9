//! Help that is true: what the documents tell people to type exists, and what exists is told.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::Outcome;
use crate::workspace;

/// A program of ours as the documents call it.
struct Program {
    called: &'static str,
    path: PathBuf,
}

/// Compares the documents with the programs' `--help`, both ways.
pub(crate) fn check() -> Result<Outcome> {
    let documents = documents()?;
    let programs = [
        Program { called: "cargo xtask", path: std::env::current_exe()? },
        Program { called: "waggle", path: workspace::artifacts().waggle },
    ];
    let mut findings = Vec::new();
    for program in &programs {
        let mentions: BTreeSet<String> =
            documents.iter().flat_map(|text| mentions(text, program.called)).collect();
        for mention in &mentions {
            findings.extend(program.check_mention(mention)?);
        }
        findings.extend(program.check_verbs(&mentions)?);
    }
    Ok(findings.into())
}

/// README.md, CONTRIBUTING.md and every page of docs/.
fn documents() -> Result<Vec<String>> {
    let root = workspace::root();
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for entry in fs::read_dir(root.join("docs")).context("reading docs")? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// What stands after the program's name, in code spans and indented or fenced lines.
fn mentions(text: &str, called: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        }
        let is_code = is_fenced || line.starts_with("    ");
        let spans: Vec<&str> =
            if is_code { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        let code = spans.iter().filter_map(|span| span.split(" #").next());
        let commands = code.flat_map(|code| code.split(['|', '>', '&', ';', ')']));
        found.extend(commands.filter_map(|command| arguments(command, called)));
    }
    found
}

/// `service list -o json` of `sudo waggle service list -o json`.
fn arguments(command: &str, called: &str) -> Option<String> {
    let words = command.split_whitespace().skip_while(|word| {
        ["$", "sudo", "env"].contains(word) || word.starts_with('-') || word.contains('=')
    });
    let command = words.collect::<Vec<_>>().join(" ");
    command.strip_prefix(called)?.strip_prefix(' ').map(str::to_owned)
}

impl Program {
    /// Finds verbs and flags that the help does not know.
    fn check_mention(&self, mention: &str) -> Result<Vec<String>> {
        let words: Vec<&str> = mention.split_whitespace().collect();
        let mut verbs = Vec::new();
        let mut help = self.help(&verbs)?;
        for word in words.iter().take_while(|word| is_verb(word)) {
            let known = subcommands(&help);
            if known.is_empty() {
                break;
            }
            if !known.iter().any(|verb| verb == word) {
                return Ok(vec![format!("`{} {mention}`: there is no `{word}`", self.called)]);
            }
            verbs.push(*word);
            help = self.help(&verbs)?;
        }
        let flags = words.iter().filter(|word| word.starts_with('-')).map(|flag| {
            flag.split('=').next().unwrap_or(flag).trim_end_matches(|c: char| !c.is_alphanumeric())
        });
        let unknown = flags.filter(|flag| !help.contains(flag));
        let finding = |flag| format!("`{} {mention}`: there is no `{flag}`", self.called);
        Ok(unknown.map(finding).collect())
    }

    /// Finds verbs without a help of their own, and verbs that no document tells of.
    fn check_verbs(&self, mentions: &BTreeSet<String>) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        for verb in subcommands(&self.help(&[])?) {
            self.help(&[&verb])?;
            if !mentions.iter().any(|mention| mention.split_whitespace().next() == Some(&verb)) {
                findings.push(format!("no document tells of `{} {verb}`", self.called));
            }
        }
        Ok(findings)
    }

    fn help(&self, verbs: &[&str]) -> Result<String> {
        let output = Command::new(&self.path)
            .args(verbs)
            .arg("--help")
            .output()
            .with_context(|| format!("starting {}", Path::new(&self.path).display()))?;
        if !output.status.success() {
            bail!("`{} {} --help` ends with {}", self.called, verbs.join(" "), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn is_verb(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
}

/// The verbs that a help lists, without `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{mentions, subcommands};

    #[test]
    fn commands_are_found_in_code_and_not_in_prose() {
        let text = "Run `waggle status -o json`, then waggle agent.\n\
                    \n    cd x && sudo -E env A=b waggle service list | less\n\
                    ```\nwaggle cleanup # all of it\n```\n\
                    The `/run/waggle folder`.";
        assert_eq!(mentions(text, "waggle"), ["status -o json", "service list", "cleanup"]);
    }

    #[test]
    fn verbs_are_read_from_a_help() {
        let help = "Does.\n\nCommands:\n  agent  Runs\n  help   Prints\n\nOptions:\n  -h";
        assert_eq!(subcommands(help), ["agent"]);
    }
}
