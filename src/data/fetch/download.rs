//! One file over HTTP: into `NAME.part`, on from where an earlier try broke off, and under its own name only when it is right.

use super::{FetchError, Patience, Told};
use md5::{Digest, Md5};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

const PIECE: usize = 1 << 16;

/// Downloads `url` to `file`, whose bytes must have this MD5.
pub(super) fn download(
    url: &str,
    file: &Path,
    md5: &str,
    patience: Patience,
    tell: &mut dyn FnMut(Told),
) -> Result<(), FetchError> {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let part = beside(file);
    tell(Told::Begins { file: &name, url });
    let mut resumed = std::fs::metadata(&part).map_or(0, |facts| facts.len());
    loop {
        let bytes = get(url, &part, resumed, patience, &mut |bytes, of| tell(Told::Goes { file: &name, bytes, of }))?;
        let found = md5_of(&part).map_err(|error| cannot_write(&part, bytes, &error))?;
        if found == md5 {
            let kept = std::fs::rename(&part, file);
            kept.map_err(|error| cannot_write(file, bytes, &error))?;
            tell(Told::Done { file: &name, bytes });
            return Ok(());
        }
        let _ = std::fs::remove_file(&part);
        // The part may have been of another file: once more from its beginning.
        if resumed == 0 {
            return Err(FetchError::Checksum { url: url.into(), found, expected: md5.into() });
        }
        resumed = 0;
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn cannot_write(file: &Path, bytes: u64, error: &std::io::Error) -> FetchError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FetchError::DiskFull { file: file.to_owned(), bytes },
        _ => FetchError::Write { file: file.to_owned(), why: error.to_string() },
    }
}

/// Appends what is missing to the part, or starts it anew where the server does not take requests for ranges. Gives its length.
fn get(
    url: &str,
    part: &Path,
    from: u64,
    patience: Patience,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<u64, FetchError> {
    let unreachable = |error: ureq::Error| FetchError::Unreachable { url: url.into(), why: error.to_string() };
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(patience.answer))
        .timeout_recv_response(Some(patience.answer))
        .proxy(if own(url) { None } else { Proxy::try_from_env() })
        // The certificates this machine trusts: behind a company's proxy there is one more than everybody's.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let request = agent.get(url).header("Accept-Encoding", "identity");
    let request = if from > 0 { request.header("Range", format!("bytes={from}-")) } else { request };
    let response = request.call().map_err(unreachable)?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut bytes = match response.status().as_u16() {
        200 => 0,
        206 if header("content-range").is_some_and(|range| range.starts_with(&format!("bytes {from}-"))) => from,
        // Nothing follows: the part is whole, or too long, which its checksum tells.
        416 if from > 0 => return Ok(from),
        status => return Err(FetchError::Status { url: url.into(), status }),
    };
    let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
    let all = length.map(|length| bytes + length);
    let file = if bytes > 0 { OpenOptions::new().append(true).open(part) } else { File::create(part) };
    let mut file = file.map_err(|error| cannot_write(part, bytes, &error))?;
    let cut = |bytes, why: String| FetchError::Cut { url: url.into(), bytes, why };

    // The body is read on a thread of its own, so that a server that falls silent is noticed however long the file takes. That
    // thread is left behind then; it ends with its connection.
    let mut body = response.into_body().into_reader();
    let (send, pieces) = sync_channel::<std::io::Result<Vec<u8>>>(16);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = body.read(&mut piece).map(|n| {
                piece.truncate(n);
                piece
            });
            let last = !matches!(&read, Ok(piece) if !piece.is_empty());
            if send.send(read).is_err() || last {
                return;
            }
        }
    });
    loop {
        match pieces.recv_timeout(patience.stall) {
            Ok(Ok(piece)) if piece.is_empty() => break,
            Ok(Ok(piece)) => {
                file.write_all(&piece).map_err(|error| cannot_write(part, bytes, &error))?;
                bytes += piece.len() as u64;
                progress(bytes, all);
            }
            Ok(Err(error)) => return Err(cut(bytes, error.to_string())),
            Err(RecvTimeoutError::Timeout) => {
                return Err(cut(bytes, format!("nothing came for {} seconds", patience.stall.as_secs_f64())));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(cut(bytes, "its reader ended".into())),
        }
    }
    if all.is_some_and(|all| bytes < all) {
        return Err(cut(bytes, "the file is longer".into()));
    }
    crate::disk::sync_file(&file, part).map_err(|error| cannot_write(part, bytes, &error))?;
    Ok(bytes)
}

/// Whether the server is this machine itself, which no proxy can reach.
fn own(url: &str) -> bool {
    ["http://127.0.0.1", "http://localhost"].iter().any(|start| url.starts_with(start))
}

/// The MD5 of a file, as 32 hexadecimal digits.
///
/// # Errors
/// It cannot be read.
pub fn md5_of(file: &Path) -> std::io::Result<String> {
    let mut file = File::open(file)?;
    let mut sum = Md5::new();
    let mut piece = vec![0; PIECE];
    loop {
        let n = file.read(&mut piece)?;
        if n == 0 {
            let bytes: [u8; 16] = sum.finalize().into();
            return Ok(format!("{:032x}", u128::from_be_bytes(bytes)));
        }
        sum.update(&piece[..n]);
    }
}
