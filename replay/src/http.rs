//! As much of HTTP/1.1 as a list, a watch and a patch need.

use std::io;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The header that says who asks.
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Reads a request; none at the connection's end.
pub(crate) async fn read_request(
    input: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<Request>> {
    let mut request = Request::default();
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            input.read_exact(&mut request.body).await?;
            return Ok(Some(request));
        }
        if request.target.is_empty() {
            let mut words = line.split(' ');
            request.method = words.next().unwrap_or_default().to_owned();
            request.target = words.next().unwrap_or("/").to_owned();
        } else if let Some((key, value)) = line.split_once(':') {
            match (key.to_ascii_lowercase().as_str(), value.trim()) {
                ("authorization", value) => request.authorization = Some(value.to_owned()),
                ("content-length", value) => {
                    request.body.resize(value.parse().unwrap_or_default(), 0);
                }
                _ => {}
            }
        }
    }
}

pub(crate) async fn write_body(
    output: &mut (impl AsyncWrite + Unpin),
    code: u16,
    retry_after: Option<&str>,
    body: &[u8],
) -> io::Result<()> {
    let retry = retry_after.map(|text| format!("Retry-After: {text}\r\n"));
    let head = format!(
        "HTTP/1.1 {code} -\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n",
        retry.unwrap_or_default(),
        body.len()
    );
    output.write_all(head.as_bytes()).await?;
    output.write_all(body).await?;
    output.flush().await
}

pub(crate) async fn begin_stream(output: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 -\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    output.write_all(head.as_bytes()).await?;
    output.flush().await
}

/// Writes a chunk; an empty one ends the stream.
pub(crate) async fn write_chunk(
    output: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> io::Result<()> {
    let head = format!("{:x}\r\n", bytes.len());
    output.write_all(&[head.as_bytes(), bytes, b"\r\n"].concat()).await?;
    output.flush().await
}
