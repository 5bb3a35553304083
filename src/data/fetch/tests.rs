//! Fetching from a server of the test's own, which misbehaves in each of the ways that servers do.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Good,
    IgnoresRanges,
    /// Promises all and sends half.
    Cuts,
    /// Sends half and then nothing.
    Stalls,
    NotThere,
}

/// Serves `content` under every path; notes each request's range.
struct Server {
    address: String,
    manner: Arc<Mutex<Manner>>,
    ranges: Arc<Mutex<Vec<Option<u64>>>>,
}

fn serve(content: Vec<u8>, manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (manner, ranges) = (Arc::new(Mutex::new(manner)), Arc::new(Mutex::new(Vec::new())));
    let (how, seen) = (manner.clone(), ranges.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let manner = *how.lock().unwrap();
            answer(stream, &content, manner, &seen);
        }
    });
    Server { address, manner, ranges }
}

fn answer(mut stream: TcpStream, content: &[u8], manner: Manner, seen: &Mutex<Vec<Option<u64>>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let asked: Option<u64> = lines
        .filter_map(|line| {
            let line = line.to_ascii_lowercase();
            line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
        })
        .last();
    // Before the answer: whoever has it may look at once.
    seen.lock().unwrap().push(asked);
    let from = asked.filter(|_| manner != Manner::IgnoresRanges).unwrap_or(0) as usize;
    let head = match (manner, asked) {
        (Manner::NotThere, _) => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_string(),
        _ if from > 0 && from >= content.len() => "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\n\r\n".into(),
        (Manner::Good | Manner::Cuts | Manner::Stalls, Some(_)) => format!(
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{}\r\ncontent-length: {}\r\n\r\n",
            content.len() - 1,
            content.len(),
            content.len() - from
        ),
        _ => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len()),
    };
    let rest = if head.contains("content-length: 0\r") { &[] } else { &content[from..] };
    let sent = if matches!(manner, Manner::Cuts | Manner::Stalls) { &rest[..rest.len() / 2] } else { rest };
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    if manner == Manner::Stalls {
        std::thread::sleep(Duration::from_secs(2));
    }
}

const PATIENCE: Patience = Patience { answer: Duration::from_secs(5), stall: Duration::from_millis(500) };

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// The MD5 of [`content`], leaked as the table's are constants.
fn item_of(bytes: &[u8]) -> Item {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    item("file.gz", md5_of(file.path()).unwrap().leak())
}

fn try_it(server: &Server, item: Item, to: &Path) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    fetch_items(&[item], None, to, &server.address, PATIENCE, &mut |word| match word {
        Told::Goes { .. } => {}
        other => told.push(format!("{other:?}").split(' ').next().unwrap().to_string()),
    })
    .map(|()| told)
    .map_err(|error| error.to_string())
}

#[test]
fn a_whole_file_is_fetched_once() {
    let (server, to) = (serve(content(), Manner::Good), tempfile::tempdir().unwrap());
    let item = item_of(&content());
    assert_eq!(try_it(&server, item, to.path()).unwrap(), ["Begins", "Done"]);
    assert_eq!(std::fs::read(to.path().join("file.gz")).unwrap(), content());
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 1, "no part is left");
    assert_eq!(try_it(&server, item, to.path()).unwrap(), ["There"]);
    assert_eq!(*server.ranges.lock().unwrap(), [None]);
}

#[test]
fn a_cut_file_is_taken_up_where_it_broke_off() {
    for manner in [Manner::Cuts, Manner::Stalls] {
        let (server, to) = (serve(content(), manner), tempfile::tempdir().unwrap());
        let item = item_of(&content());
        let error = try_it(&server, item, to.path()).unwrap_err();
        assert!(error.contains("the connection broke after 100000 bytes: "), "{error}");
        assert!(!to.path().join("file.gz").exists() && to.path().join("file.gz.part").exists());
        *server.manner.lock().unwrap() = Manner::Good;
        assert_eq!(try_it(&server, item, to.path()).unwrap(), ["Begins", "Done"]);
        assert_eq!(std::fs::read(to.path().join("file.gz")).unwrap(), content());
        assert_eq!(*server.ranges.lock().unwrap(), [None, Some(100_000)]);
    }
}

#[test]
fn a_part_is_given_up_where_the_server_ignores_ranges_or_it_is_of_another_file() {
    for (manner, part, requests) in [
        (Manner::IgnoresRanges, content()[..1000].to_vec(), 1),
        (Manner::Good, vec![1; 1000], 2),
        // As long as the file, and longer: the server has nothing more to give.
        (Manner::Good, content(), 1),
        (Manner::Good, vec![1; 300_000], 2),
    ] {
        let (server, to) = (serve(content(), manner), tempfile::tempdir().unwrap());
        std::fs::write(to.path().join("file.gz.part"), part).unwrap();
        assert_eq!(try_it(&server, item_of(&content()), to.path()).unwrap(), ["Begins", "Done"]);
        assert_eq!(std::fs::read(to.path().join("file.gz")).unwrap(), content());
        assert_eq!(server.ranges.lock().unwrap().len(), requests);
    }
}

#[test]
fn what_is_wrong_is_said_and_nothing_wrong_is_kept() {
    let to = tempfile::tempdir().unwrap();
    let item = item_of(&content());
    let error = try_it(&serve(b"another file".to_vec(), Manner::Good), item, to.path()).unwrap_err();
    assert!(error.contains("the file has the checksum ") && error.contains(&format!("expected {}", item.md5)), "{error}");
    let error = try_it(&serve(content(), Manner::NotThere), item, to.path()).unwrap_err();
    assert!(error.contains("the server answers 404; name another address with --from"), "{error}");
    // Nobody listens there any more.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Server { address: format!("http://{free}"), ..serve(Vec::new(), Manner::Good) };
    let error = try_it(&gone, item, to.path()).unwrap_err();
    assert!(error.contains("cannot be reached: ") && error.contains("HTTPS_PROXY"), "{error}");
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0);
}

fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Past the checks of the crate, as a forger would.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

const FOLDER: &str = "cifar-100-binary";

fn fetch_archive(bytes: Vec<u8>, to: &Path) -> Result<(), String> {
    let item = item_of(&bytes);
    let server = serve(bytes, Manner::Good);
    fetch_items(&[item], Some(cifar::Kind::Hundred), to, &server.address, PATIENCE, &mut |_| {})
        .map_err(|error| error.to_string())
}

#[test]
fn an_archive_is_unpacked_and_read() {
    use tar::EntryType::{Directory, Regular};
    let record: Vec<u8> = (0..200).flat_map(|i| [0, i % 100].into_iter().chain([7; 3072])).collect();
    let to = tempfile::tempdir().unwrap();
    let files = [
        (&*format!("{FOLDER}/"), Directory, &[][..]),
        (&format!("{FOLDER}/train.bin"), Regular, &record),
        (&format!("{FOLDER}/test.bin"), Regular, &record),
    ];
    fetch_archive(archive(&files), to.path()).unwrap();
    assert_eq!(crate::data::cifar::load_folder(to.path(), cifar::Kind::Hundred, 100).unwrap().test.len(), 200);
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 1, "only the folder is left");
    // There already: no server is asked.
    let item = item("file.gz", "");
    fetch_items(&[item], Some(cifar::Kind::Hundred), to.path(), "http://127.0.0.1:1", PATIENCE, &mut |_| {}).unwrap();
}

#[test]
fn an_archive_that_reaches_outside_its_folder_is_refused() {
    use tar::EntryType::{Regular, Symlink};
    for (path, kind) in [
        ("../evil", Regular),
        ("/tmp/evil", Regular),
        ("cifar-100-binary/../../evil", Regular),
        ("cifar-100-binary/sub/evil", Regular),
        ("other/evil", Regular),
        ("cifar-100-binary/link", Symlink),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let to = parent.path().join("to");
        let error =
            fetch_archive(archive(&[("cifar-100-binary/train.bin", Regular, b"x"), (path, kind, b"x")]), &to).unwrap_err();
        assert!(error.contains("cannot be unpacked: it holds "), "{path}: {error}");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0, "{path} leaves something");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "{path} got out");
    }
    let to = tempfile::tempdir().unwrap();
    let whole = archive(&[("cifar-100-binary/train.bin", Regular, &content())]);
    let error = fetch_archive(whole[..whole.len() / 2].to_vec(), to.path()).unwrap_err();
    assert!(error.contains("it is damaged: "), "{error}");
}
