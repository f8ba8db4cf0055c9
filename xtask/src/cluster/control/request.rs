//! Many requests by one curl, one after the other.

use std::path::Path;

use serde_json::Value;

/// One request; paths are as `api/v1/nodes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: &'static str,
    path: String,
    body: Option<String>,
}

impl Request {
    /// Asks what is there.
    #[must_use]
    pub fn read(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), body: None }
    }

    /// Makes an object of a collection.
    #[must_use]
    pub fn create(collection: &str, object: &Value) -> Self {
        Self { method: "POST", path: collection.to_owned(), body: Some(object.to_string()) }
    }

    /// Replaces an object, or a part of one that has a path of its own.
    #[must_use]
    pub fn replace(path: &str, object: &Value) -> Self {
        Self { method: "PUT", path: path.to_owned(), body: Some(object.to_string()) }
    }

    /// Removes an object.
    #[must_use]
    pub fn delete(path: &str) -> Self {
        Self { method: "DELETE", path: path.to_owned(), body: None }
    }

    /// As curl reads it from its configuration.
    pub(super) fn configuration(&self, server: &str, identity: &[(&str, &Path)]) -> String {
        let Self { method, path, body } = self;
        let mut lines = vec![
            "silent".to_owned(),
            "show-error".to_owned(),
            "fail-with-body".to_owned(),
            "max-time = 10".to_owned(),
            option("noproxy", "*"),
            option("request", method),
            option("url", &format!("{server}/{path}")),
        ];
        lines.extend(identity.iter().map(|(name, file)| option(name, &file.to_string_lossy())));
        if let Some(body) = body {
            lines.push(option("header", "Content-Type: application/json"));
            lines.push(option("data-binary", body));
        }
        lines.join("\n") + "\n"
    }
}

/// A value between quotation marks, in which curl knows these two escapes.
fn option(name: &str, value: &str) -> String {
    format!("{name} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::Request;

    #[test]
    fn a_body_is_quoted_as_curl_reads_it() {
        let request = Request::replace("api/v1/nodes/a", &json!({"a": "\"\\"}));
        let text = request.configuration("https://it", &[("cert", Path::new("/c"))]);
        let expected = [
            "request = \"PUT\"",
            "url = \"https://it/api/v1/nodes/a\"",
            "cert = \"/c\"",
            "header = \"Content-Type: application/json\"",
            r#"data-binary = "{\"a\":\"\\\"\\\\\"}""#,
        ];
        let lines: Vec<&str> = text.lines().skip(5).collect();
        assert_eq!(lines, expected);
    }
}
