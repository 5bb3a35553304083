//! Where every random draw of a run comes from: pure functions of (seed, purpose, index), so that nothing has to be saved to resume.
//!
//! Two kinds. Draws on the host (orders, crops, an evaluation's starting points) are counted: each number is a hash of its place,
//! the same on every device, for every batch size and in every order. Draws on the device (starting points of training attacks)
//! use torch's generator, seeded anew for each step with [`seed`]. Not for cryptography.

/// What a draw is for. Two purposes never share numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; index: place of the parameter in its network.
    Weights,
    /// Order of the training images; index: epoch.
    Order,
    /// Crops and flips; index: step.
    Augment,
    /// Starting points of training attacks; index: step.
    AttackStart,
    /// Starting points of probes and evaluations; index: restart.
    EvaluationStart,
    /// Images and labels of benchmarks.
    Bench,
    /// Images that robust ones are begun from; index: place of the image.
    RobustSet,
    /// Everything that attacks of an evaluation draw; see [`AttackKey`].
    Attack,
}

/// A 64-bit mixer (the finaliser of SplitMix64, Steele et al. 2014): every bit of the input moves every bit of the output.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The seed of one draw or stream.
pub fn seed(run: u64, purpose: Purpose, index: u64) -> u64 {
    let purpose = purpose as u64 + 1;
    mix(mix(mix(run.wrapping_add(GOLDEN)).wrapping_add(purpose.wrapping_mul(GOLDEN))).wrapping_add(index.wrapping_mul(GOLDEN)))
}

/// Which draws of an attack these are. What an image meets depends on the key, its place in its set and the iteration, and on
/// nothing else: not on the batch, the order, the threads, or what was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackKey(u64);

impl AttackKey {
    /// `attack`: its name, so that the order of a list never matters. `target`: rank of the class aimed at, 0 for none.
    pub fn new(seed_of_all: u64, attack: &str, target: u32, restart: u32) -> Self {
        let name = attack.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)).wrapping_add(GOLDEN));
        let key = seed(seed_of_all, Purpose::Attack, name);
        Self(seed(key, Purpose::Attack, (u64::from(target) << 32) | u64::from(restart)))
    }

    /// `place`: of the image in its set. `iteration`: 0 for the start.
    pub fn stream(self, place: i64, iteration: u64) -> Stream {
        Stream::new(seed(seed(self.0, Purpose::Attack, place as u64), Purpose::Attack, iteration))
    }
}

/// An endless, counted stream of numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in `[0, 1)`, 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// Uniform in `0..n` for `n > 0`. The bias of the multiplication is below 2^-32 for any n here.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.unit())).cos()) as f32
    }

    /// Two standard normals from two numbers, by Box and Muller in single precision: a third of the time of two [`Self::normal`],
    /// for the millions of a network's first weights.
    pub fn normals(&mut self) -> [f32; 2] {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * self.unit()).sin_cos();
        [radius * cos, radius * sin]
    }

    /// `count` values, `draw` after `draw`, each of which takes `N` numbers and gives `N` values: the same values however many
    /// threads share the work.
    pub fn many<const N: usize>(&self, count: usize, draw: impl Fn(&mut Self) -> [f32; N] + Sync) -> Vec<f32> {
        // Fewer are drawn sooner than a thread starts.
        const LEAST: usize = 1 << 16;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(threads).max(LEAST).next_multiple_of(N);
        let mut values = vec![0.0; count];
        std::thread::scope(|scope| {
            for (i, piece) in values.chunks_mut(share).enumerate() {
                let mut stream = Self::new(self.state.wrapping_add(GOLDEN.wrapping_mul((i * share) as u64)));
                let draw = &draw;
                let mut fill = move || {
                    for some in piece.chunks_mut(N) {
                        let drawn = draw(&mut stream);
                        some.copy_from_slice(&drawn[..some.len()]);
                    }
                };
                if count <= share {
                    fill();
                } else {
                    scope.spawn(fill);
                }
            }
        });
        values
    }
}

/// `0..n` in random order (Fisher and Yates).
pub fn permutation(n: usize, seed: u64) -> Vec<i64> {
    let mut stream = Stream::new(seed);
    let mut order: Vec<i64> = (0..n as i64).collect();
    for i in (1..n).rev() {
        order.swap(i, stream.below(i as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_purpose_and_index_and_on_nothing_else() {
        assert_eq!(seed(1, Purpose::Order, 2), seed(1, Purpose::Order, 2));
        let all: std::collections::HashSet<u64> = (0..3)
            .flat_map(|run| [Purpose::Weights, Purpose::Order, Purpose::Augment].map(|p| (0..100).map(move |i| seed(run, p, i))))
            .flatten()
            .collect();
        assert_eq!(all.len(), 900);
    }

    #[test]
    fn an_attack_draws_by_key_place_and_iteration() {
        let key = |target, restart| AttackKey::new(5, "apgd-t", target, restart);
        assert_eq!(key(1, 0).stream(7, 3).bits(), key(1, 0).stream(7, 3).bits());
        let mut all = std::collections::HashSet::new();
        for target in 0..3 {
            for restart in 0..3 {
                for place in 0..5 {
                    all.extend((0..5).map(|iteration| key(target, restart).stream(place, iteration).bits()));
                }
            }
        }
        all.extend((0..5).map(|place| AttackKey::new(5, "apgd-dlr", 0, 0).stream(place, 0).bits()));
        all.extend((0..5).map(|place| AttackKey::new(6, "apgd-t", 0, 0).stream(place, 0).bits()));
        assert_eq!(all.len(), 3 * 3 * 5 * 5 + 10);
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let mut stream = Stream::new(7);
        let n = 100_000;
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..n {
            mean += f64::from(stream.unit()) / f64::from(n);
        }
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        mean = 0.0;
        for _ in 0..n {
            let x = f64::from(stream.normal());
            mean += x / f64::from(n);
            square += x * x / f64::from(n);
        }
        assert!(mean.abs() < 0.015 && (square - 1.0).abs() < 0.02, "{mean} {square}");
        let pairs: Vec<[f64; 2]> = (0..n).map(|_| stream.normals().map(f64::from)).collect();
        let moment = |f: &dyn Fn(&[f64; 2]) -> f64| pairs.iter().map(f).sum::<f64>() / f64::from(n);
        let moments = [moment(&|p| p[0]), moment(&|p| p[1]), moment(&|p| p[0] * p[1])];
        assert!(moments.iter().all(|m| m.abs() < 0.015), "{moments:?}");
        let squares = [moment(&|p| p[0] * p[0]), moment(&|p| p[1] * p[1])];
        assert!(squares.iter().all(|m| (m - 1.0).abs() < 0.02), "{squares:?}");
    }

    #[test]
    fn many_draws_are_the_same_as_one_after_the_other() {
        for count in [3, 200_001] {
            let stream = Stream::new(9);
            let mut one = stream.clone();
            let expected: Vec<f32> = (0..count).map(|_| one.unit()).collect();
            assert_eq!(stream.many(count, |s| [s.unit()]), expected);
            let mut pairs = stream.clone();
            let expected: Vec<f32> = (0..count).flat_map(|_| pairs.normals()).take(count).collect();
            assert_eq!(stream.many(count, Stream::normals), expected);
        }
    }

    #[test]
    fn a_permutation_has_everything_once() {
        let mut order = permutation(1000, 3);
        assert_ne!(order, permutation(1000, 4));
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &x)| i as i64 == x));
    }
}
