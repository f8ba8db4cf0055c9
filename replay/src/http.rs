//! As much of HTTP/1.1 as a list and a watch need.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Reads a request without a body; its target, or none at the connection's end.
pub(crate) async fn read_target(
    input: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<String>> {
    let mut target = None;
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        match (line.trim_end(), &target) {
            ("", _) => return Ok(Some(target.unwrap_or_default())),
            (first, None) => {
                target = Some(first.split(' ').nth(1).unwrap_or_default().to_owned());
            }
            (_, Some(_)) => {}
        }
    }
}

pub(crate) async fn write_body(
    output: &mut (impl AsyncWrite + Unpin),
    code: u16,
    retry_after: Option<u32>,
    body: &str,
) -> io::Result<()> {
    let retry = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
    let head = format!(
        "HTTP/1.1 {code} -\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n",
        retry.unwrap_or_default(),
        body.len()
    );
    output.write_all(head.as_bytes()).await?;
    output.write_all(body.as_bytes()).await?;
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
    text: &str,
) -> io::Result<()> {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    output.write_all(chunk.as_bytes()).await?;
    output.flush().await
}
