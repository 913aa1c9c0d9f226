//! An HTTP/1.1 server on the standard library, a thread for each connection. Small, so that the time that a
//! function waits for it is short beside the function's own.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What was asked.
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// Serves on a free port of 127.0.0.1 until the process ends, and says which; with TLS if there is a
/// configuration of it.
pub(crate) fn serve(
    tls: Option<Arc<ServerConfig>>,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port of 127.0.0.1 can be had")?;
    let port = listener.local_addr()?.port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (tls, answer) = (tls.clone(), Arc::clone(&answer));
            // A connection ends when its client does, in whatever way.
            thread::spawn(move || drop(talk(connection, tls, &*answer)));
        }
    });
    Ok(port)
}

fn talk(
    connection: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answer: &dyn Fn(&Request) -> Answer,
) -> io::Result<()> {
    connection.set_nodelay(true)?;
    match tls {
        None => converse(connection, answer),
        Some(config) => {
            let server = ServerConnection::new(config).map_err(io::Error::other)?;
            converse(StreamOwned::new(server, connection), answer)
        }
    }
}

fn converse(stream: impl Read + Write, answer: &dyn Fn(&Request) -> Answer) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let Answer { status, headers, body } = answer(&request);
        let mut wire = format!("HTTP/1.1 {status} _\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in headers {
            wire.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&body);
        stream.get_mut().write_all(&wire)?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
fn read(stream: &mut BufReader<impl Read>) -> io::Result<Option<Request>> {
    let Some(first) = line(stream)? else { return Ok(None) };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { path, headers: Vec::new(), body: Vec::new() };
    while let Some(line) = line(stream)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        loop {
            let size = line(stream)?.unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let start = request.body.len();
            request.body.resize(start + size, 0);
            stream.read_exact(request.body.get_mut(start..).unwrap_or_default())?;
            line(stream)?;
            if size == 0 {
                return Ok(Some(request));
            }
        }
    }
    let size: usize = request.header("content-length").parse().unwrap_or_default();
    request.body.resize(size, 0);
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// A line without its end; `None` at the end of the stream.
fn line(stream: &mut BufReader<impl Read>) -> io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}
