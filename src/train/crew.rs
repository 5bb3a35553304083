//! Who attacks the batches of an evaluation: this thread alone, or on a CPU several threads, each with a network of its own.
//!
//! The networks that are evaluated on a CPU are small, and so are batches of what still stands: sharing each operation among cores
//! wastes most of them on waiting for each other. Whole batches are shared out instead. A tensor has one owner at any time: batches are
//! sent to a thread and come back with what it found, networks are made inside their threads.
//!
//! What is attacked with what, and what becomes of it, is [`super::audit`]'s.

use super::audit::Watcher;
use crate::attacks::{Attack, Fooled, Found, GoOn, Setting, Subjects};
use crate::nn::Network;
use crate::nn::model::{Model, Weights};
use crate::random::AttackKey;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tch::Device;

/// A batch to be attacked.
pub struct Job {
    pub attack: Box<dyn Attack>,
    pub subjects: Subjects,
    pub key: AttackKey,
}

/// A batch that was attacked.
pub struct Done {
    pub subjects: Subjects,
    pub found: Found,
}

/// How often it is asked whether to go on, while others work.
const ASK: Duration = Duration::from_millis(20);

/// Threads that attack.
pub struct Crew {
    hands: Vec<JoinHandle<()>>,
    jobs: Option<Sender<Job>>,
    done: Receiver<std::thread::Result<Option<Done>>>,
    stop: Arc<AtomicBool>,
    threads: i32,
}

impl Crew {
    /// As many hands as libtorch has threads here, which meanwhile works with one thread for each; `None` where that would be one,
    /// on a GPU, and for a program, which cannot be copied.
    pub fn for_model(model: &Model) -> Option<Self> {
        let threads = tch::get_num_threads();
        if threads < 2 || model.parameters.flat().device() != Device::Cpu {
            return None;
        }
        model.weights()?;
        let (jobs, waiting) = bounded::<Job>(1);
        let (tell, done) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        tch::set_num_threads(1);
        let hands = (0..threads)
            .filter_map(|i| {
                let (weights, waiting, tell, stop) = (model.weights()?, waiting.clone(), tell.clone(), stop.clone());
                let work = move || hand(weights, &waiting, &tell, &stop);
                std::thread::Builder::new().name(format!("attack-{i}")).spawn(work).ok()
            })
            .collect::<Vec<_>>();
        let crew = Self { hands, jobs: Some(jobs), done, stop, threads };
        (!crew.hands.is_empty()).then_some(crew)
    }

    pub fn hands(&self) -> usize {
        self.hands.len()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for hand in self.hands.drain(..) {
            let _ = hand.join();
        }
        tch::set_num_threads(self.threads);
    }
}

fn hand(weights: Weights, waiting: &Receiver<Job>, tell: &Sender<std::thread::Result<Option<Done>>>, stop: &AtomicBool) {
    // Threads of libtorch are counted for each thread that asks it for something.
    tch::set_num_threads(1);
    let model = weights.model();
    let network = model.folded_in_blocks();
    for job in waiting {
        let mut go_on = || if stop.load(Ordering::Relaxed) { GoOn::No } else { GoOn::Yes };
        let done = catch_unwind(AssertUnwindSafe(|| work(&network, job, &mut go_on)));
        if tell.send(done).is_err() {
            return;
        }
    }
}

fn work(network: &dyn Network, job: Job, go_on: &mut dyn FnMut() -> GoOn) -> Option<Done> {
    let mut setting = Setting { network, key: job.key, fooled: Fooled::Leave, go_on };
    let found = job.attack.run(&job.subjects, &mut setting)?;
    Some(Done { subjects: job.subjects, found })
}

/// Attacks all batches, by the crew where there is one, and hands over each as it is done, in whichever order that is. The watcher is
/// asked all the time; when it says no, what is finished by then is still handed over, and the answer is `No`.
///
/// # Errors
/// What making a batch, or taking it in, says.
pub fn attack<E>(
    network: &dyn Network,
    crew: Option<&Crew>,
    mut jobs: impl Iterator<Item = Result<Job, E>>,
    watcher: &mut dyn Watcher,
    mut take: impl FnMut(&mut dyn Watcher, Done) -> Result<(), E>,
) -> Result<GoOn, E> {
    let Some(crew) = crew else {
        for job in jobs {
            let Some(done) = work(network, job?, &mut || watcher.go_on()) else { return Ok(GoOn::No) };
            take(watcher, done)?;
        }
        return Ok(GoOn::Yes);
    };
    crew.stop.store(false, Ordering::Relaxed);
    let (mut out, mut answer, mut failed, mut more) = (0usize, GoOn::Yes, None, true);
    loop {
        // One batch waits ready, so that no hand does.
        while more && out <= crew.hands() {
            match jobs.next().transpose() {
                Ok(Some(job)) => {
                    let sent = crew.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
                    assert!(sent, "the threads that attack have ended");
                    out += 1;
                }
                Ok(None) => more = false,
                Err(error) => (failed, more) = (Some(error), false),
            }
        }
        if out == 0 {
            return failed.map_or(Ok(answer), Err);
        }
        match crew.done.recv_timeout(ASK) {
            Ok(Ok(done)) => {
                out -= 1;
                // A batch that was given up says nothing.
                if let (Some(done), None) = (done, &failed) {
                    failed = take(watcher, done).err();
                }
            }
            Ok(Err(panic)) => {
                crew.stop.store(true, Ordering::Relaxed);
                resume_unwind(panic);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the threads that attack have ended"),
        }
        if answer == GoOn::Yes && (failed.is_some() || watcher.go_on() == GoOn::No) {
            (answer, more) = (GoOn::No, false);
            crew.stop.store(true, Ordering::Relaxed);
        }
    }
}
