//! What of a document has no effect here, and what in it is of a wrong kind.

use std::collections::BTreeMap;

use serde_saphyr::{Location, Spanned};

use super::fields::{Kind, field, is_section};
use super::tree::Node;
use crate::config::LeftOut;
use crate::config::period::Period;

/// A value that is not of its field's kind.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    /// Where it stands.
    pub(super) at: Location,
    /// What is wrong, and what would be right.
    pub(super) cause: String,
}

/// What is set and has no effect, in the order of names.
pub(super) fn survey(document: &Spanned<Node>) -> Result<Vec<LeftOut>, Wrong> {
    let mut left_out = Vec::new();
    let Some(fields) = section(document, "the configuration")? else { return Ok(left_out) };
    walk(fields, "", &mut left_out)?;
    Ok(left_out)
}

fn walk(
    fields: &BTreeMap<String, Spanned<Node>>,
    within: &str,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), Wrong> {
    for (name, value) in fields {
        let path = format!("{within}{name}");
        if let Some(field) = field(&path) {
            if !is_of(&value.value, field.kind) {
                return Err(wrong(value, &path, field.kind));
            }
            if let Some(why) = field.idle.filter(|_| !is_usual(value, field.kind, field.usual)) {
                left_out.push(LeftOut { field: path, why });
            }
        } else if is_section(&path) {
            if let Some(fields) = section(value, &path)? {
                walk(fields, &format!("{path}."), left_out)?;
            }
        } else {
            left_out.push(LeftOut { field: path, why: "unknown" });
        }
    }
    Ok(())
}

type Fields = BTreeMap<String, Spanned<Node>>;

fn section<'a>(value: &'a Spanned<Node>, path: &str) -> Result<Option<&'a Fields>, Wrong> {
    match &value.value {
        Node::Nothing => Ok(None),
        Node::Section(fields) => Ok(Some(fields)),
        Node::Flag(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            Err(wrong(value, path, Kind::Section))
        }
    }
}

fn wrong(value: &Spanned<Node>, path: &str, kind: Kind) -> Wrong {
    let cause = format!("{path} is {}; {}", value.value.kind(), kind.hint());
    Wrong { at: value.referenced, cause }
}

fn is_of(node: &Node, kind: Kind) -> bool {
    match (node, kind) {
        (Node::Nothing, _)
        | (_, Kind::Any)
        | (Node::Flag(_), Kind::Flag)
        | (Node::Number(_), Kind::Fraction)
        | (Node::Text(_), Kind::Text)
        | (Node::Section(_), Kind::Section) => true,
        (Node::Number(number), Kind::Number | Kind::OptionalNumber) => number.fract() == 0.0,
        (Node::Text(text), Kind::Period) => text.is_empty() || text.parse::<Period>().is_ok(),
        (Node::List(list), Kind::Texts) => {
            list.iter().all(|text| matches!(text.value, Node::Text(_)))
        }
        _ => false,
    }
}

/// Whether this is as if nothing was said.
fn is_usual(value: &Spanned<Node>, kind: Kind, usual: &[&str]) -> bool {
    let is_empty = match kind {
        Kind::OptionalNumber => value.value == Node::Nothing,
        _ => is_empty(&value.value),
    };
    is_empty || usual.iter().any(|usual| is_same(&value.value, usual))
}

/// Whether this is what a field has in a file that says nothing.
fn is_empty(node: &Node) -> bool {
    match node {
        Node::Nothing | Node::Flag(false) => true,
        Node::Flag(true) => false,
        Node::Number(number) => *number == 0.0,
        Node::Text(text) => {
            text.is_empty() || text.parse().is_ok_and(|Period(span)| span.is_zero())
        }
        Node::List(list) => list.is_empty(),
        Node::Section(fields) => fields.values().all(|value| is_empty(&value.value)),
    }
}

fn is_same(node: &Node, usual: &str) -> bool {
    match node {
        Node::Number(number) => usual.parse().is_ok_and(|usual: f64| usual == *number),
        Node::Text(text) => match (text.parse::<Period>(), usual.parse::<Period>()) {
            (Ok(one), Ok(other)) => one == other,
            _ => text == usual,
        },
        Node::Nothing | Node::Flag(_) | Node::List(_) | Node::Section(_) => false,
    }
}
