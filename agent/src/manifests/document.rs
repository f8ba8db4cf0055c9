//! A file's text, cut into its documents.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Characters of a document marker.
const MARKER: u64 = 3;

/// One document of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Its text, marker lines left out.
    pub(super) text: &'a str,
    /// How many lines of the file stand before it.
    pub(super) lines_before: u64,
    /// How many characters of its first line stand before it.
    pub(super) columns_before: u64,
}

/// Cuts at document markers (YAML 1.2.2, 9.1.2 and 9.1.4), so that a broken document leaves the
/// others readable. Documents that are empty are left out.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut lines_before, mut columns_before, mut end) = (0, 0, 0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let begin = end;
        end += line.len();
        let Some(rest) = after_marker(line) else {
            continue;
        };
        push(&mut documents, Document { text: &text[start..begin], lines_before, columns_before });
        // What follows a marker on its line belongs to the document, and keeps its line's number.
        let is_bare = rest.trim().is_empty() || rest.trim_start().starts_with('#');
        start = if is_bare { end } else { end - rest.len() };
        (lines_before, columns_before) = if is_bare { (number, 0) } else { (number - 1, MARKER) };
    }
    push(&mut documents, Document { text: &text[start..], lines_before, columns_before });
    documents
}

fn push<'a>(documents: &mut Vec<Document<'a>>, document: Document<'a>) {
    if document.text.lines().any(says_something) {
        documents.push(document);
    }
}

fn says_something(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

impl Document<'_> {
    /// Line and column in the file of the first line that says something.
    pub(super) fn begin(&self) -> (u64, u64) {
        let mut said = (1..).zip(self.text.lines()).filter(|(_, line)| says_something(line));
        let (line, column) = said
            .next()
            .map_or((1, 0), |(number, line)| (number, line.len() - line.trim_start().len()));
        self.in_file(line, column as u64 + 1)
    }

    /// Line and column in the file of a place in the document.
    pub(super) const fn in_file(&self, line: u64, column: u64) -> (u64, u64) {
        let columns_before = if line == 1 { self.columns_before } else { 0 };
        (self.lines_before + line, columns_before + column)
    }
}

/// The items of a document that is a List in JSON, as documents of their own.
pub(super) fn items<'a>(list: &Document<'a>) -> Option<Vec<Document<'a>>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct List<'a> {
        api_version: &'a str,
        kind: &'a str,
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let List { api_version: "v1", kind: "List", items } = serde_json::from_str(list.text).ok()?
    else {
        return None;
    };
    let (mut line, mut column, mut end) = (1, 1, 0);
    let document = |item: &'a RawValue| {
        let begin = item.get().as_ptr().addr() - list.text.as_ptr().addr();
        for character in list.text[end..begin].chars() {
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        end = begin;
        let (line, column) = list.in_file(line, column);
        Document { text: item.get(), lines_before: line - 1, columns_before: column - 1 }
    };
    Some(items.into_iter().map(document).collect())
}

/// What follows a document marker, if the line begins with one.
fn after_marker(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."))?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_know_where_they_stand() {
        let list = |text| documents(text).first().and_then(items);
        let text = "# ä\n--- {\"items\": [{\"a\": 1}, 2,\n\n \"ä\", 3], \"kind\": \"List\",\n \
                    \"apiVersion\": \"v1\"}\n";
        let found = list(text).unwrap();
        let begins: Vec<_> = found.iter().map(|item| (item.text, item.begin())).collect();
        let expected = [("{\"a\": 1}", (2, 16)), ("2", (2, 26)), ("\"ä\"", (4, 2)), ("3", (4, 7))];
        assert_eq!(begins, expected);
        for text in [
            "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"items\": []}",
            "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [}",
            "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [], \"items\": []}",
            "{apiVersion: v1, kind: List, items: []}",
        ] {
            assert_eq!(list(text), None, "{text}");
        }
    }

    #[test]
    fn documents_know_the_lines_before_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("# only a comment\n---\n", &[]),
            ("a: 1\n", &[("a: 1\n", 0)]),
            ("---\na: 1\n---\nb: 1\n", &[("a: 1\n", 1), ("b: 1\n", 3)]),
            ("--- # first\na: 1\n...\n---\n\n---\nb: 1", &[("a: 1\n", 1), ("b: 1", 6)]),
            ("--- {a: 1}\n--- {b: 1}", &[(" {a: 1}\n", 0), (" {b: 1}", 1)]),
            ("a: |\n  ---\n---b: 1\n", &[("a: |\n  ---\n---b: 1\n", 0)]),
            ("a: 1\r\n---\r\nb: 1\r\n", &[("a: 1\r\n", 0), ("b: 1\r\n", 2)]),
        ] {
            let found: Vec<_> = documents(text)
                .into_iter()
                .map(|document| (document.text, document.lines_before))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
