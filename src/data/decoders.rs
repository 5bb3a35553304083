//! Threads that decode image files for whoever streams them.
//!
//! What comes out depends on the files and cuts asked for alone, never on how many threads there are or which of them did it.

use super::files::Files;
use super::picture::{self, Cut, Picture};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::num::NonZero;
use std::sync::{Arc, OnceLock};

/// More do not help one worker, and the machine has other things to do.
const MOST: usize = 8;

/// A handle on the threads, which start when they are first asked for something and end when the last handle is gone.
#[derive(Clone, Default)]
pub struct Decoders(Arc<OnceLock<Sender<Job>>>);

struct Job {
    files: Arc<Files>,
    place: usize,
    cut: Cut,
    slot: usize,
    to: Sender<(usize, Result<Picture, String>)>,
}

/// Images that were asked for.
pub struct Pending {
    count: usize,
    from: Receiver<(usize, Result<Picture, String>)>,
}

impl Decoders {
    /// Asks for these images of `files`; they are worked on in the order of asking. `cuts`: of each.
    pub fn ask(&self, files: &Arc<Files>, places: impl Iterator<Item = (usize, Cut)>) -> Pending {
        let jobs = self.0.get_or_init(|| start(threads()));
        let (to, from) = unbounded();
        let mut count = 0;
        for (slot, (place, cut)) in places.enumerate() {
            // Fails only where no thread could be started; the images are then missing, which is said when they are waited for.
            let _ = jobs.send(Job { files: files.clone(), place, cut, slot, to: to.clone() });
            count = slot + 1;
        }
        Pending { count, from }
    }
}

/// One core is left to the worker.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).clamp(1, MOST)
}

fn start(threads: usize) -> Sender<Job> {
    let (sender, jobs) = unbounded::<Job>();
    for n in 0..threads {
        let jobs = jobs.clone();
        let _ = std::thread::Builder::new().name(format!("decoder {n}")).spawn(move || {
            for Job { files, place, cut, slot, to } in jobs {
                let Some(path) = files.paths.get(place) else { continue };
                // Nobody may wait any more, as at the end of a run.
                let _ = to.send((slot, picture::read(path, files.view, cut)));
            }
        });
    }
    sender
}

impl Pending {
    /// Waits for all, in the order asked for.
    pub fn wait(self) -> Vec<Result<Picture, String>> {
        let mut all: Vec<_> = (0..self.count).map(|_| Err("was not decoded: a decoding thread ended".to_string())).collect();
        for (slot, read) in self.from {
            all[slot] = read;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Faulty;
    use crate::data::folder::tests::put;
    use crate::data::picture::View;

    #[test]
    fn images_come_in_the_order_asked_for_and_are_the_same_for_any_number_of_threads() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..20).map(|i| folder.path().join(format!("{i}.png"))).collect();
        for (i, path) in paths.iter().enumerate() {
            put(path, i as u8, 16);
        }
        std::fs::write(&paths[7], "no image").unwrap();
        let files = Arc::new(Files { paths, labels: vec![0; 20], view: View { size: 8, resize: 8 }, faulty: Faulty::Stop });
        let with = |n| {
            let decoders = Decoders::default();
            decoders.0.get_or_init(|| start(n));
            decoders.ask(&files, (0..20).rev().map(|place| (place, Cut::Random(place as u64)))).wait()
        };
        let one = with(1);
        assert_eq!(one[0].as_ref().unwrap().pixels[0], 19);
        assert_eq!(one[12], Err("is no JPEG, PNG or WebP image".into()));
        assert_eq!(one, with(5));
        // Where no thread could be started nobody waits for ever.
        assert!(with(0).iter().all(Result::is_err));
    }
}
